"""One shard: its documents judged batch by batch, so that whoever comes after a killed pod goes on where it was."""
