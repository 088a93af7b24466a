"""One module a strategy: what it consists of, as a program of instructions."""
