"""The GPUs: what NVML tells of them, what befell them, and how well they are."""
