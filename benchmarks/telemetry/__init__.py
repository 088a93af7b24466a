"""What the operator pays for the telemetry of a thousand nodes, on the real API server."""
