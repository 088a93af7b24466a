"""What makes the results of a scan provable: the tree over its documents, the statement, its signature, their proof."""
