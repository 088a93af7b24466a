"""`kubectl sentinel`: what the objects say, in words that help, and the verbs of a rollout, written into its spec."""
