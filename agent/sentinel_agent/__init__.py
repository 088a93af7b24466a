"""The node agent: what the GPUs and the host do, as metrics and as an object of the cluster."""
