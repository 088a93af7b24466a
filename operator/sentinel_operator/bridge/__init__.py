"""The bridge to a brain: telemetry out, plans in, true outcomes back. A process of its own."""
