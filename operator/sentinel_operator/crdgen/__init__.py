"""Generates what follows from the models: CRDs, roles, the webhook's configuration, the reference."""
