"""Orders to the delivery of a SentryModel: one at a time in its spec, each for one revision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sentinel_operator.core.actionplan.edits import ABSENT, Edit, edit, value_at
from sentinel_operator.core.actionplan.verbs.case import Case, Refusal
from sentinel_operator.core.actionplan.view import is_current, status_of
from sentinel_operator.core.plan import Manifest

_ORDERS = ("promote", "paused", "abort", "retry", "rollbackTo")
_ROLLOUT = ("spec", "rollout")


def ordered_to(live: Manifest, order: str, value: Any) -> list[Edit]:
    """Gives the edits that leave this order and no other in the spec."""
    if value_at(live, _ROLLOUT) is ABSENT:
        return [edit(live, (*_ROLLOUT, order), value)]
    wanted = {each: value if each == order else ABSENT for each in _ORDERS}
    return [edit(live, (*_ROLLOUT, each), target) for each, target in wanted.items()]


def rollout_of(live: Manifest) -> Mapping[str, Any]:
    """Gives where its delivery stands."""
    found = status_of(live).get("rollout")
    return found if isinstance(found, Mapping) else {}


def candidate_of(case: Case) -> str:
    """Gives the revision that is being delivered; raises Refusal where there is none, or another one is meant."""
    candidate, meant = str(rollout_of(case.live).get("candidate") or ""), case.param("revision")
    if not candidate:
        raise Refusal("no rollout is under way")
    if meant is not None and str(meant) != candidate:
        raise Refusal(f"revision {candidate} is under way, not {meant}")
    return candidate


def serving(live: Manifest, revision: str) -> str:
    """Says what is still to come until the revision serves alone."""
    rollout = rollout_of(live)
    if not is_current(live):
        return "the operator has not seen the order yet"
    if rollout.get("stable") == revision and not rollout.get("candidate"):
        return ""
    return f"revision {revision} is on its way: {rollout.get('message') or rollout.get('phase') or 'not begun'}"
