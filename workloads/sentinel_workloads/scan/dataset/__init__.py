"""What only the whole dataset shows: labels that were flipped, texts that repeat, objects of unknown provenance."""
