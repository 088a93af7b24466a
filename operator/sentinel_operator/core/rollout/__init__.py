"""Progressive delivery, one state machine for every kind: `decide` takes what is observed and gives a decision.

    Observed ─ recovered ─ intend ┬ Rest    → rest      all requests to stable, what is left of others ends
                                  ├ Begin   → _begin    the candidate is written down, and nothing else is done
                                  └ Deliver → deliver   examined: what its step demands, as posture → routes, replicas
                                                        outcome: is the step done → remembered_after: the next step

A strategy is a program of instructions (strategies/), a place in it a posture: all that was demanded up to there. So a
pass that is repeated, late or cut short does what the next one would. Two rules carry the rest: what cannot be read
again is written down before it is acted upon, and nothing loses pods before the data plane is observed to have left it.
"""
