"""Service levels: how a workload has been doing, measured and not claimed. Pure."""
