"""A ScanJob's pods: plan, shards, report."""
