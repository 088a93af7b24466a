"""GPUs as their nodes tell of them, joined to the pods that are on them. Pure."""
