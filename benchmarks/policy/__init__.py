"""What it costs to judge a change."""
