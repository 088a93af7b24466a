"""How many plans the operator judges and carries out on a real API server, how soon, and what they cost afterwards."""
