"""The operator against the real API server, without nodes: time to reconcile, latency, idle writes, memory."""
