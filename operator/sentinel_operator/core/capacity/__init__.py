"""Whether one more pod would find room in the cluster beside what runs. Pure."""
