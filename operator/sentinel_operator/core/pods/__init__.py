"""What the pods of every kind have in common: containers, volumes, artifacts that are brought, and what went wrong."""
