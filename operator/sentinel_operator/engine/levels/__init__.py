"""Service levels measured: by a Prometheus, or by looking at models and their pods. Only of what policies ask for."""
