"""What of the policies the API server itself holds to, and how far that goes."""
