"""`sentinel-scan`: scans a dataset without Kubernetes, and proves reports, its own and those of ScanJobs."""
