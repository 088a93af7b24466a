"""A throwaway real Kubernetes on one machine, without Docker and without pulling an image."""
