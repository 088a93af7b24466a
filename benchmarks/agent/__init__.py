"""What the node agent costs its node and the API server."""
