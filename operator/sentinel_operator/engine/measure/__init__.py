"""Taking measurements: everything of an analysis that has to ask somebody, outside of the passes that decide."""
