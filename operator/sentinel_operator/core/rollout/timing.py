"""Since when the data plane has done what it does: what a drain is counted from."""

from __future__ import annotations

from dataclasses import replace

from sentinel_operator.core.rollout.dataplane import mark, settled
from sentinel_operator.core.rollout.observed import Observed, State
from sentinel_operator.core.rollout.routes import Routes


def timed(observed: Observed, state: State, routes: Routes) -> State:
    """Notes when the data plane was first observed to do what is wanted now."""
    if not settled(observed, routes):
        return replace(state, settled_routing="", settled_at=0.0)
    found = mark(observed, routes)
    return state if state.settled_routing == found else replace(state, settled_routing=found, settled_at=observed.now)
