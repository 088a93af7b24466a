"""Many canaries at once on the real API server: is each step on time, and what does it cost."""
