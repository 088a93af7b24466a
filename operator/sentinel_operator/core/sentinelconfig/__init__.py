"""Whether the SentinelConfig is in force, told in its own status."""
