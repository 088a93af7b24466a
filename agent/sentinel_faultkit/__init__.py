"""GPUs that are not there: a fake NVML, and a file that says what its GPUs do and what befalls them."""
