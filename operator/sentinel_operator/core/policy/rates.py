"""How many changes were begun lately, read off the plans themselves: a restart forgets none, and what was not done
does not count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sentinel_operator.core.conditions import parse_time
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.policy.facts import Begun, Scope
from sentinel_operator.core.targets import TargetKey

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
LONGEST = HOUR
"""For how long a change counts; its plan must not be pruned before."""


@dataclass(frozen=True, slots=True)
class Start:
    """A change that was begun."""

    target: TargetKey
    at: datetime


def starts(plan: Manifest) -> Iterator[Start]:
    """Yields each change that the plan has begun, as its status tells it; tolerates a status that does not validate.
    A plan that is being executed has begun all that it has not given up: two plans do not pass through one gap."""
    spec, status = _map(plan.get("spec")), _map(plan.get("status"))
    targets = {
        each["id"]: target_key(each.get("target"), plan["metadata"].get("namespace", ""))
        for each in _maps(spec.get("decisions"))
        if isinstance(each.get("id"), str)
    }
    for each in _maps(status.get("decisions")):
        coming = status.get("state") == "Executing" and each.get("state", "Pending") == "Pending"
        at = parse_time(str((status if coming else each).get("startedAt") or "-"))
        target = targets.get(str(each.get("id")))
        if at is not None and target is not None and (coming or each.get("intents")):
            yield Start(target, at)


def begun(known: Iterable[Start], target: TargetKey, now: datetime) -> dict[Scope, Begun]:
    """Counts what concerns a target, by scope. One that is stamped with a moment to come counts as now."""
    counts: dict[Scope, Counter[str]] = {each: Counter() for each in ("Workload", "Namespace", "Cluster", "Global")}
    for start in known:
        age = now - start.at
        for scope in scopes(start.target, target):
            counts[scope]["minute"] += age < MINUTE
            counts[scope]["hour"] += age < HOUR
    return {scope: Begun(count["minute"], count["hour"]) for scope, count in counts.items()}


def within(known: Iterable[Start], target: TargetKey, now: datetime, seconds: float) -> int:
    """Counts the changes of one target in a window."""
    return sum(each.target == target and (now - each.at).total_seconds() < seconds for each in known)


def scopes(one: TargetKey, two: TargetKey) -> Iterator[Scope]:
    """Yields the scopes in which two targets count together."""
    yield "Global"
    yield "Cluster"
    if one.namespace == two.namespace:
        yield "Namespace"
        if one == two:
            yield "Workload"


def target_key(target: object, namespace: str) -> TargetKey | None:
    """Names the target of a raw decision of a plan in the namespace; None where it is none."""
    found = _map(target)
    kind, name = found.get("kind"), found.get("name")
    if not isinstance(kind, str) or not isinstance(name, str):
        return None
    return TargetKey(kind, "" if kind == "Node" else str(found.get("namespace") or namespace), name)


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _maps(value: object) -> Iterator[Mapping[str, Any]]:
    yield from (each for each in (value if isinstance(value, list) else ()) if isinstance(each, Mapping))
