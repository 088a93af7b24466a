"""Whose a device is: containers that the kubelet gave it to, and processes that work on it."""
