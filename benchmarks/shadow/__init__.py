"""Requests mirrored to a candidate: what the clients of the server that mirrors them notice of it."""
