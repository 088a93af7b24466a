"""Requests into runs: queue, micro-batches, threads, deadlines."""
