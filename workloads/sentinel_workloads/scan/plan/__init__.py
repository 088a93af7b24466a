"""The plan of a scan: which objects there are, and which shard judges what of them."""
