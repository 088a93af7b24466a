"""What is not allowed is put aside for real: objects by copies, rows by themselves."""
