"""Documents out of objects: whatever an object is, memory stays bounded and nothing in it goes uncounted."""
