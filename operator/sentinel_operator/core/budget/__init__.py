"""The cluster-wide change budget: who may begin a rollout now, and what the others wait for. Pure."""
