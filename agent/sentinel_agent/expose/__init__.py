"""The metrics, under the names that others' dashboards ask for, and the HTTP endpoints."""
