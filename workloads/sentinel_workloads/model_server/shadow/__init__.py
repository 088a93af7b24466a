"""Real requests mirrored to a candidate's pods, and its answers compared with those that the clients got."""
