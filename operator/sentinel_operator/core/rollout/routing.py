"""Where requests should go, given what a step demands and what the pods can carry."""

from __future__ import annotations

from typing import assert_never

from sentinel_operator.core.rollout.arithmetic import carried
from sentinel_operator.core.rollout.limits import least
from sentinel_operator.core.rollout.observed import Observed, RevisionView
from sentinel_operator.core.rollout.program import Posture
from sentinel_operator.core.rollout.routes import Routes


def wanted_routes(observed: Observed, demanded: Posture, *, full: bool) -> Routes:
    """Gives the routing of a step. The candidate gets no more than its ready, verified pods carry."""
    base, candidate = observed.state.base, observed.view(observed.state.candidate)
    match demanded.mode:
        case "Swap":
            return Routes.only(base)
        case "Fill" | "Replace":
            return _first(observed, candidate)
        case "Roll":
            return shared(observed, candidate)
        case "Weighted":
            return _weighted(observed, demanded, candidate, full=full)
        case _:
            assert_never(demanded.mode)


def returning_routes(observed: Observed) -> Routes:
    """Gives everything back to stable. Where stable has given up pods in a rolling update it gets them back first: as
    long as those that serve are fewer than the least that may, the others go on."""
    base = observed.base
    if not observed.state.rolled or not base.id or base.serving >= least(observed):
        return Routes.only(base.id)
    others = [view for view in observed.revisions.values() if view.id != base.id and view.serving > 0]
    if not others or not observed.written.weights:
        return Routes.only(base.id)
    if observed.provider == "Service":
        return observed.written if observed.written.shared else Routes.only(base.id)
    heir = max(others, key=lambda view: view.serving)
    weight = 100 - carried(base.serving, wanted=observed.count)
    return Routes.split(stable=base.id, candidate=heir.id, weight=weight, shared=False)


def shared(observed: Observed, candidate: RevisionView) -> Routes:
    """Gives the routing of a replacement pod by pod: as many requests as pods."""
    base = observed.base
    if candidate.sure == 0:
        return returning_routes(observed)
    if not acceptable(candidate):
        return Routes.only(base.id)
    weight = carried(candidate.sure, wanted=observed.count)
    if observed.provider == "Service":
        return Routes.split(stable=base.id, candidate=candidate.id, weight=min(99, max(1, weight)), shared=True)
    return Routes.split(stable=base.id, candidate=candidate.id, weight=weight, shared=False)


def acceptable(view: RevisionView) -> bool:
    """Tells whether a revision may get requests at all."""
    return view.sure > 0 and view.verified and (view.fault is None or not view.fault.rejects)


def alone(observed: Observed) -> bool:
    """Tells whether nobody but stable and the candidate would get requests if all pods were selected."""
    known = {observed.state.base, observed.state.candidate}
    return all(view.gone or view.id in known for view in observed.revisions.values())


def _first(observed: Observed, candidate: RevisionView) -> Routes:
    """The first pods, or those that come after a break: whoever serves goes on until the new ones can."""
    before = [name for name, _ in observed.written.weights if observed.view(name).serving > 0 and name != candidate.id]
    if acceptable(candidate) and (candidate.sure >= observed.count or not before):
        return Routes.only(candidate.id)
    return Routes.only(before[0]) if before else observed.written


def _weighted(observed: Observed, demanded: Posture, candidate: RevisionView, *, full: bool) -> Routes:
    base, weight = observed.state.base, demanded.weight or 0
    if weight == 0 or not acceptable(candidate):
        return Routes.only(base)
    if weight >= 100 and full and _carries_all(observed, candidate):
        return Routes.only(candidate.id)
    if observed.provider == "Gateway":
        return _by_route(observed, demanded, candidate, full=full)
    open_to = demanded.before if weight >= 100 and full else weight
    if open_to <= 0 or not alone(observed):
        return Routes.only(base)
    return Routes.split(stable=base, candidate=candidate.id, weight=min(99, open_to), shared=True)


def _carries_all(observed: Observed, candidate: RevisionView) -> bool:
    """A switch needs all pods; one that has been made is kept as long as enough of them are left."""
    if observed.written.key == Routes.only(candidate.id).key:
        return candidate.sure >= max(1, min(observed.min_available, observed.count))
    return candidate.sure >= observed.count > 0


def _by_route(observed: Observed, demanded: Posture, candidate: RevisionView, *, full: bool) -> Routes:
    weight = demanded.weight or 0
    bound = demanded.before if weight >= 100 and full else weight
    weight = min(bound, carried(candidate.sure, wanted=observed.count))
    return Routes.split(stable=observed.state.base, candidate=candidate.id, weight=weight, shared=False)
