"""The number of pods of every revision, and whose it is to say: the operator's or an autoscaler's."""

from __future__ import annotations

from collections.abc import Mapping

from sentinel_operator.core.names import revision_name
from sentinel_operator.core.sentrymodel.assess import Assessment
from sentinel_operator.core.sentrymodel.observe import Observed
from sentinel_operator.core.sentrymodel.rolling import Bounds, Group, bounds, roll, roll_autoscaled


def replica_targets(observed: Observed, assessment: Assessment) -> Mapping[str, int]:
    """Gives the replicas of each revision that the operator may scale; what an autoscaler scales is left out."""
    targets = dict(_targets(observed, assessment))
    for revision in tuple(targets):
        scaled_elsewhere = revision_name(observed.owner.name, revision) == observed.scaled_by_autoscaler
        # An autoscaler leaves a Deployment of no replicas alone, so someone has to raise it first.
        if scaled_elsewhere and not (assessment.spec.autoscaling and observed.replicas(revision) == 0):
            del targets[revision]
    return targets


def _targets(observed: Observed, assessment: Assessment) -> Mapping[str, int]:
    spec = assessment.spec
    # While the next revision is not known, what serves is what is wanted.
    target = assessment.target.id if assessment.target is not None else assessment.stable
    if not target:
        return {}
    new = _group(observed, target)
    others = [_group(observed, revision) for revision in _oldest_first(observed) if revision != target]
    stable = next((group for group in others if group.revision == assessment.stable), None)
    rest = [group for group in others if group is not stable]
    limits = _limits(assessment)
    if spec.autoscaling is None:
        return roll(wanted=assessment.wanted, new=new, stable=stable, others=rest, limits=limits)
    if stable is not None:
        rolled = roll_autoscaled(wanted=assessment.wanted, new=new, others=rest, limits=limits)
        return {**rolled, stable.revision: assessment.wanted}
    rolled = roll(wanted=assessment.wanted, new=new, stable=None, others=rest, limits=limits)
    # Only ever up: the number of what serves is the autoscaler's, who may not have been seen yet.
    return {**rolled, new.revision: max(rolled[new.revision], new.replicas)}


def _limits(assessment: Assessment) -> Bounds:
    rollout = assessment.spec.rollout
    limits = bounds(rollout.max_surge, rollout.max_unavailable, wanted=assessment.wanted)
    if assessment.failure is not None and assessment.coming and assessment.stable:
        # A failed revision keeps what it may have beyond the wanted number, and gives back the rest.
        return Bounds(surge=limits.surge, unavailable=0)
    return limits


def _group(observed: Observed, revision: str) -> Group:
    return Group(revision=revision, replicas=observed.replicas(revision), ready=observed.ready(revision))


def _oldest_first(observed: Observed) -> list[str]:
    views = sorted(observed.deployments.values(), key=lambda view: (view.created_at, view.revision))
    return [view.revision for view in views]
