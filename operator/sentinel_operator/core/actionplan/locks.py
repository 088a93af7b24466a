"""What a plan needs to itself while it changes it."""

from __future__ import annotations

from sentinel_operator.core.actionplan.neighbours import targets_of
from sentinel_operator.core.actionplan.observed import Observed
from sentinel_operator.core.actionplan.step import LOOK_AGAIN, Step
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.targets import TargetKey


def locks(observed: Observed) -> tuple[TargetKey, ...]:
    """Gives all targets of the plan, and the nodes that it moves pods off."""
    raw: Manifest = {
        "metadata": {"namespace": observed.namespace},
        "spec": observed.plan.model_dump(mode="json", by_alias=True, include={"decisions"}, exclude_none=True),
    }
    return tuple(sorted(targets_of(raw)))


def regained(observed: Observed) -> Step:
    """A plan in the middle of its change that lost its targets (a new leader) takes them again before it goes on."""
    return Step(status=observed.status, wants_locks=locks(observed), look_again=LOOK_AGAIN)
