"""The life of an ActionPlan: judged, recorded, done once, verified, taken back if it was wrong."""
