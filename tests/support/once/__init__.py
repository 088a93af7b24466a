"""Plans on the real API server while leaders die and sleep and requests get lost: what is drawn, done, seen, judged."""
