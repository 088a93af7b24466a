"""A model swapped for another while it answers: what its clients notice of it."""
