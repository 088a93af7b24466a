"""How often the analysis of a rollout is wrong, over many simulated rollouts."""
