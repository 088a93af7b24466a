"""How an S3-compatible store is spoken to: one client, one reading of its answers, one patience with its faults."""
