"""How many changes were begun lately, read off the plans themselves: a restart forgets none, and what was not done
does not count."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Hashable, Iterable, Iterator, Mapping
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


class Ledger:
    """All changes that were begun, counted for a target in the time of a few look-ups however many there are."""

    def __init__(self, known: Iterable[Start] = ()) -> None:
        self._times: dict[Hashable, list[float]] = {}
        for each in known:
            self.add(each)

    def add(self, start: Start) -> None:
        """Counts a change from now on."""
        for key in _counted_with(start.target).values():
            insort(self._times.setdefault(key, []), start.at.timestamp())

    def remove(self, start: Start) -> None:
        """Forgets a change that was added."""
        for key in _counted_with(start.target).values():
            times = self._times[key]
            del times[bisect_left(times, start.at.timestamp())]
            if not times:
                del self._times[key]

    def begun(self, target: TargetKey, now: datetime) -> dict[Scope, Begun]:
        """Counts what concerns a target, by scope. One that is stamped with a moment to come counts as now."""
        return {
            scope: Begun(self._since(key, now - MINUTE), self._since(key, now - HOUR))
            for scope, key in _counted_with(target).items()
        }

    def within(self, target: TargetKey, now: datetime, seconds: float) -> int:
        """Counts the changes of one target in a window."""
        return self._since(target, now - timedelta(seconds=seconds))

    def _since(self, key: Hashable, moment: datetime) -> int:
        times = self._times.get(key, ())
        return len(times) - bisect_right(times, moment.timestamp())


def _counted_with(target: TargetKey) -> dict[Scope, Hashable]:
    """Names, for each scope, what a target's changes are counted with."""
    return {"Workload": target, "Namespace": target.namespace, "Cluster": None, "Global": True}


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
