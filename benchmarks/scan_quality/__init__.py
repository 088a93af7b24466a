"""How well poisoned and injected text is told from harmless text, plain and disguised."""
