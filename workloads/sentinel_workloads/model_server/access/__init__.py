"""Who may call, how often, and the certificates they see."""
