"""`follow`: keeps in the pod's volume what the operator's ConfigMap names, verified, and tells the server."""
