"""The artifact as a model: what it takes and gives, and whether the schema agrees."""
