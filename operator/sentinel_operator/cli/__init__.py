"""`kubectl sentinel`: what the objects say, in words that help; nothing in here changes a cluster."""
