"""What can be relied upon of the data plane: never what was asked of it, only what it is observed to do."""

from __future__ import annotations

from sentinel_operator.core.rollout.arithmetic import share
from sentinel_operator.core.rollout.observed import Observed
from sentinel_operator.core.rollout.routes import Routes


def settled(observed: Observed, routes: Routes) -> bool:
    """Tells whether the data plane is observed to do just this."""
    if observed.routing.written is None or observed.written.key != routes.key:
        return False
    if observed.provider == "Gateway":
        return observed.routing.accepted is not None and observed.routing.accepted.key == routes.key
    return all(view.endpoints == 0 for view in observed.revisions.values() if not routes.reaches(view.id))


def may_reach(observed: Observed, revision: str) -> bool:
    """Tells whether the revision's pods get requests, or would, or might without it having been seen yet."""
    view = observed.view(revision)
    if observed.provider == "Service":
        return view.endpoints > 0 or (observed.written.reaches(revision) and view.replicas + view.ready > 0)
    return possible_weight(observed, revision) > 0


def possible_weight(observed: Observed, revision: str) -> int:
    """Gives the most percent that a route may give to the revision now. An unacknowledged route may do anything that
    it did before, which nothing tells."""
    if observed.routing.written is None:
        return 0
    if observed.routing.accepted is None:
        return 100
    return max(observed.written.weight(revision), observed.routing.accepted.weight(revision))


def observed_weight(observed: Observed, revision: str) -> int:
    """Gives the percent of the requests that the revision is observed to get."""
    if observed.provider == "Gateway":
        return observed.routing.accepted.weight(revision) if observed.routing.accepted is not None else 0
    total = sum(view.endpoints for view in observed.revisions.values())
    return share(observed.view(revision).endpoints, of=total)


def mark(observed: Observed, routes: Routes) -> str:
    """Names one stretch of time under one routing. The version is part of it: a pass that died after it had changed
    the routing leaves no trace in the status, and the change may have been taken back since."""
    return f"{routes.key}@{observed.routing.version}"


def settled_for(observed: Observed, routes: Routes) -> float:
    """Gives for how many seconds the data plane is known to have done just this; less than zero if it does not."""
    if not settled(observed, routes) or observed.state.settled_routing != mark(observed, routes):
        return -1.0
    # It is remembered in whole seconds, rounded up, and so may lie just ahead.
    return max(0.0, observed.now - observed.state.settled_at)
