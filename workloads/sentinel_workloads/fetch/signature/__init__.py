"""Whose signature the copy carries. What verifies is imported only when an authority asks for it: it takes a second."""
