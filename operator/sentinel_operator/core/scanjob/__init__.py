"""The ScanJob controller's decisions: plan, scan and report, one after the other."""
