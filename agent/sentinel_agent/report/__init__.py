"""What the cluster is told: the NodeTelemetry of the node, its condition and its taint."""
