"""Since when the data plane has done what it does: what a drain is counted from."""

from __future__ import annotations

from dataclasses import replace

from sentinel_operator.core.rollout.dataplane import settled
from sentinel_operator.core.rollout.observed import Observed, State
from sentinel_operator.core.rollout.routes import Routes


def timed(observed: Observed, state: State, routes: Routes) -> State:
    """Notes when the data plane was first observed to do what is wanted now. The routing's name is kept beside it: a
    pass that died after it had changed the routing leaves the moment of an earlier one behind."""
    if not settled(observed, routes):
        return replace(state, settled_routing="", settled_at=0.0)
    if state.settled_routing == routes.key:
        return state
    return replace(state, settled_routing=routes.key, settled_at=observed.now)
