"""Progressive delivery, one state machine for every kind: `decide` takes what is observed and gives a decision."""
