"""What measurements say about a new revision: pure functions from counts and numbers to a verdict that has reasons."""
