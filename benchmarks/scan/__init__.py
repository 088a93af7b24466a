"""A dataset scanned as a ScanJob scans it, with a real S3 and the real detector, on two cores."""
