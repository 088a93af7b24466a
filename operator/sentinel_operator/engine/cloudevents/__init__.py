"""CloudEvents of the transitions of plans: what is to be told, to whom, and how far that has come."""
