"""What is kept in memory of a plan that is over: thousands of them are for people to read, not for the operator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sentinel_operator.api.actionstatus import FINISHED
from sentinel_operator.core.plan import Manifest

_OF_SPEC = frozenset({"evidence", "verify", "signature"})
_OF_STATUS = frozenset({"trace", "diff", "conditions", "lastDecision", "analysis"})
_OF_INTENTS = frozenset({"edits", "evict"})


def is_settled(raw: Manifest) -> bool:
    """Tells whether no pass has anything to do with the plan any more: it is finished, and its status says so of the
    spec as it is."""
    status = raw.get("status")
    if not isinstance(status, dict) or status.get("state") not in FINISHED:
        return False
    return bool(status.get("observedGeneration") == raw["metadata"].get("generation"))


def remembered(raw: Manifest) -> Manifest:
    """Gives a settled plan without how it was judged, what it changed and how that is taken back; any other as it is.

    Its status is not written from what is given: whoever edits it makes it one that is not settled, and whole.
    """
    if not is_settled(raw):
        return raw
    status = _without(raw["status"], _OF_STATUS)
    decisions = status.get("decisions")
    if isinstance(decisions, list):
        status["decisions"] = [_lean(each) if isinstance(each, dict) else each for each in decisions]
    spec = raw.get("spec")
    return {**raw, "spec": _without(spec, _OF_SPEC) if isinstance(spec, dict) else spec, "status": status}


def _lean(decision: Mapping[str, Any]) -> dict[str, Any]:
    """Which objects it was about stays: by that it counts for a rate."""
    found = {name: decision[name] for name in ("intents", "undo") if isinstance(decision.get(name), list)}
    lean = {
        name: [_without(each, _OF_INTENTS) if isinstance(each, dict) else each for each in intents]
        for name, intents in found.items()
    }
    return {**decision, **lean}


def _without(value: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: each for name, each in value.items() if name not in names}
