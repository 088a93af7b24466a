"""What other plans mean for one: whether it was there before, is overtaken, what is under way, and what was begun."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sentinel_operator.api.actionstatus import ACTING
from sentinel_operator.core.actionplan.stamps import requester
from sentinel_operator.core.conditions import parse_time
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.policy.rates import Start, starts, target_key
from sentinel_operator.core.targets import TargetKey

_JUDGED_WELL = frozenset({"AwaitingApproval", "Approved", "Scheduled", "Executing", "Verifying", "Completed"})
_WENT_WRONG = frozenset({"Failed", "RollingBack", "RolledBack"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """All of it as of now."""

    duplicate_of: str = ""
    """An earlier plan with the same planId of the same source."""
    superseded_by: str = ""
    """A later plan of the same source that says all anew that this one says."""
    in_flight: frozenset[TargetKey] = frozenset()
    """What other plans have in change."""
    starts: tuple[Start, ...] = field(default=())
    last_failure: datetime | None = None


def neighbours(raw: Manifest, others: Iterable[Manifest]) -> Neighbours:
    """Reads the other plans; tolerates those that do not validate. Of those that are finished and older than the
    longest window only the ones with the same planId matter."""
    duplicate, later = "", list[tuple[tuple[str, str], str]]()
    in_flight, begun, failures = set[TargetKey](), list[Start](), list[datetime]()
    for other in others:
        if other["metadata"]["uid"] == raw["metadata"]["uid"]:
            begun.extend(starts(other))
            continue
        state = _map(other.get("status")).get("state")
        begun.extend(starts(other))
        if _is_twin(raw, other) and _age(other) < _age(raw):
            duplicate = min(filter(None, (duplicate, _name(other))))
        if state in _JUDGED_WELL and _age(other) > _age(raw) and _says_anew(other, raw):
            later.append((_age(other), _name(other)))
        if state in ACTING:
            in_flight.update(targets_of(other))
        if state in _WENT_WRONG:
            failures.append(_failed_at(other))
    return Neighbours(
        duplicate_of=duplicate,
        superseded_by=max(later)[1] if later else "",
        in_flight=frozenset(in_flight - targets_of(raw)),
        starts=tuple(begun),
        last_failure=max(failures, default=None),
    )


def targets_of(raw: Manifest) -> frozenset[TargetKey]:
    """Gives the targets of a raw plan: what it would change, and the nodes that it moves pods off."""
    spec, namespace = _map(raw.get("spec")), str(raw["metadata"].get("namespace") or "")
    found = set()
    for decision in _decisions(spec):
        key = target_key(decision.get("target"), namespace)
        if key is not None:
            found.add(key)
        node = _map(decision.get("params")).get("node")
        if decision.get("verb") == "reschedule" and isinstance(node, str):
            found.add(TargetKey("Node", "", node))
    return frozenset(found)


def _is_twin(raw: Manifest, other: Manifest) -> bool:
    """A plan of somebody else that merely claims the source, and was rejected for it, takes no planId from anybody."""
    mine, theirs = _map(raw.get("spec")), _map(other.get("spec"))
    if (mine.get("planId"), mine.get("source")) != (theirs.get("planId"), theirs.get("source")):
        return False
    return requester(raw) == requester(other) or _map(other.get("status")).get("state") != "Rejected"


def _says_anew(later: Manifest, earlier: Manifest) -> bool:
    mine, theirs = _map(earlier.get("spec")), _map(later.get("spec"))
    if mine.get("source") != theirs.get("source") or theirs.get("mode", "Enforce") != "Enforce":
        return False
    if mine.get("mode", "Enforce") != "Enforce" or requester(earlier) != requester(later):
        return False
    return _said(earlier) <= _said(later)


def _said(raw: Manifest) -> set[tuple[object, TargetKey | None]]:
    namespace = str(raw["metadata"].get("namespace") or "")
    decisions = _decisions(_map(raw.get("spec")))
    return {(str(each.get("verb")), target_key(each.get("target"), namespace)) for each in decisions}


def _failed_at(raw: Manifest) -> datetime:
    status, created = _map(raw.get("status")), str(raw["metadata"].get("creationTimestamp") or "")
    moments = (parse_time(str(text)) for text in (status.get("finishedAt"), status.get("startedAt"), created) if text)
    found = next((each for each in moments if each is not None), None)
    if found is None:
        raise ValueError(f"{_name(raw)} has no creationTimestamp")
    return found


def _age(raw: Manifest) -> tuple[str, str]:
    return str(raw["metadata"].get("creationTimestamp") or ""), str(raw["metadata"]["uid"])


def _name(raw: Manifest) -> str:
    return f"{raw['metadata'].get('namespace', '')}/{raw['metadata']['name']}"


def _decisions(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = spec.get("decisions")
    return [_map(each) for each in found] if isinstance(found, list) else []


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
