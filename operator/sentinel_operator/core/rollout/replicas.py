"""How many pods each revision should have: never fewer than what the data plane may still send to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from sentinel_operator.core.rollout.arithmetic import Group, beside, needed, roll
from sentinel_operator.core.rollout.dataplane import may_reach, possible_weight, settled_for
from sentinel_operator.core.rollout.limits import beyond, limits
from sentinel_operator.core.rollout.observed import Observed, RevisionView
from sentinel_operator.core.rollout.program import Posture
from sentinel_operator.core.rollout.routes import Routes
from sentinel_operator.core.rollout.strategies.canary import DRAIN_SECONDS


def delivering_replicas(observed: Observed, demanded: Posture, routes: Routes, *, full: bool) -> Mapping[str, int]:
    """Gives the replicas of every revision at a step of a rollout."""
    match demanded.mode:
        case "Weighted":
            count = candidate_count(observed, demanded, full=full)
            targets = {observed.state.base: observed.count}
            return _guarded(observed, targets | _kept(observed, count) | _leftovers(observed, routes))
        case "Swap":
            return _guarded(observed, {observed.state.base: observed.count} | _leftovers(observed, routes))
        case "Roll" | "Fill":
            return _guarded(observed, rolling_replicas(observed, new=observed.state.candidate))
        case "Replace":
            return _guarded(observed, _replacing(observed) | _leftovers(observed, routes))
        case _:
            assert_never(demanded.mode)


def resting_replicas(observed: Observed, routes: Routes) -> Mapping[str, int]:
    """Gives the replicas of every revision while none is delivered: stable has what is wanted, and what
    takes the place of a pod that must leave; others go."""
    base = observed.state.base
    if not base:
        return _unclaimed(observed)
    if observed.count == 0:
        return {view.id: 0 for view in (observed.base, *observed.revisions.values())}
    if observed.state.rolled and routes.key != Routes.only(base).key:
        return _guarded(observed, rolling_replicas(observed, new=base))
    return _guarded(observed, {base: observed.count + observed.extra} | _leftovers(observed, routes))


def _unclaimed(observed: Observed) -> Mapping[str, int]:
    """Nothing is known to serve, which may be a memory that was lost: only what was aborted goes, and what neither is
    wanted nor ready."""
    targets: dict[str, int] = {}
    for view in observed.revisions.values():
        record = observed.record(view.id)
        aborted = observed.spec.abort == view.id or (record is not None and record.verdict == "Aborted")
        idle = bool(observed.target) and view.id != observed.target and view.ready == 0
        if aborted or idle or observed.count == 0:
            targets[view.id] = 0
    return targets


def candidate_count(observed: Observed, demanded: Posture, *, full: bool) -> int:
    """Gives the candidate's pods for a weight: as many as get it beside stable's ready pods where the Service routes,
    as many as carry it where a route does. It is never more than wanted, nor than there may be beyond those."""
    wanted, most = observed.count, min(observed.count, beyond(observed))
    if (demanded.weight or 0) >= 100 and full:
        return wanted
    if demanded.scale is not None:
        scale = demanded.scale
        asked = scale.replicas if scale.replicas is not None else needed(scale.percent or 100, wanted=wanted)
    elif demanded.mirror:
        asked = needed(demanded.mirror, wanted=wanted)
    elif demanded.weight is None:
        return 0
    elif observed.provider == "Gateway":
        # A route sends a share to one Service: were its only pod to end, that share would find nobody.
        asked = max(min(2, wanted), needed(demanded.weight, wanted=wanted)) if demanded.weight else 0
    else:
        asked = _beside(observed, demanded.weight)
    return min(most, max(1, asked))


def _beside(observed: Observed, weight: int) -> int:
    """Stable pods that are not ready for a while keep the candidate from growing, but do not shrink it."""
    if weight >= 100:
        return observed.count
    base, has = observed.base, observed.view(observed.state.candidate).replicas
    asked = beside(min(base.ready, observed.count), weight)
    return max(asked, min(has, beside(observed.count, weight)))


def rolling_replicas(observed: Observed, *, new: str) -> dict[str, int]:
    """Gives the replicas of all revisions while pods are replaced one by one by those of `new`."""
    base = observed.state.base
    wanted, allowed = observed.count, limits(observed)
    olds = [view for view in observed.revisions.values() if view.id != new]
    stable = next((view for view in olds if view.id == base), None)
    rest = [_group(view) for view in olds if view is not stable]
    group = _group(observed.view(new))
    if observed.autoscaled and stable is not None:
        # Stable's number is the autoscaler's, until that has been moved.
        grown = min(wanted, group.serving + max(1, allowed.surge))
        return {**{old.revision: 0 for old in rest}, stable.id: stable.replicas, new: max(grown, group.serving)}
    return dict(roll(wanted=wanted, new=group, stable=_group(stable) if stable else None, others=rest, limits=allowed))


def without_owned(observed: Observed, targets: Mapping[str, int], *, autoscale: str) -> dict[str, int]:
    """Leaves out what an autoscaler scales, or is about to; one that has no pods has to be raised first, as an
    autoscaler leaves it alone."""
    owned = {observed.autoscaler, autoscale if observed.autoscaled else ""} - {""}
    kept: dict[str, int] = {}
    for revision, replicas in targets.items():
        now = observed.view(revision).replicas
        raised = now == 0 if revision == observed.autoscaler else replicas > now
        if revision not in owned or (observed.autoscaled and raised):
            kept[revision] = replicas
    return kept


def _leftovers(observed: Observed, routes: Routes) -> dict[str, int]:
    """What is neither stable nor candidate goes: at once what serves nobody, the rest after the drain."""
    current = {observed.state.base, observed.state.candidate}
    drained = settled_for(observed, routes) >= DRAIN_SECONDS
    targets: dict[str, int] = {}
    for view in observed.revisions.values():
        if view.id in current:
            continue
        free = view.ready == 0 or (drained and not may_reach(observed, view.id))
        targets[view.id] = 0 if free else view.sure
    return targets


def _replacing(observed: Observed) -> dict[str, int]:
    base, candidate = observed.base, observed.state.candidate
    ended = base.replicas == 0 and base.ready == 0
    return {**({base.id: 0} if base.id else {}), candidate: observed.count if ended else 0}


def _guarded(observed: Observed, targets: Mapping[str, int]) -> Mapping[str, int]:
    """Under a route no revision loses pods that its share of the requests, as far as is known, needs."""
    if observed.provider == "Service":
        return targets
    return {revision: max(target, _floor(observed, revision, target)) for revision, target in targets.items()}


def _floor(observed: Observed, revision: str, target: int) -> int:
    view = observed.view(revision)
    if target >= view.replicas or observed.count == 0:
        return 0
    return min(view.sure, needed(possible_weight(observed, revision), wanted=observed.count))


def _kept(observed: Observed, count: int) -> dict[str, int]:
    """A candidate whose share is lowered keeps its pods until stable's are observed to be enough without them."""
    candidate = observed.view(observed.state.candidate)
    missing = observed.count - observed.base.serving
    if observed.provider == "Gateway" or candidate.replicas <= count:
        return {candidate.id: count}
    return {candidate.id: max(count, min(candidate.sure, missing, observed.count))}


def _group(view: RevisionView) -> Group:
    return Group(revision=view.id, replicas=view.replicas, serving=view.serving)
