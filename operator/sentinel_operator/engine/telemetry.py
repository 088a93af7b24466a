"""What nodes tell of themselves, as the operator knows it, and whom a change of it concerns."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from pydantic import ValidationError

from sentinel_operator.api.nodetelemetry import NodeTelemetryStatus
from sentinel_operator.core.conditions import parse_time
from sentinel_operator.core.gpu.join import STALE, busyness, judged, pods_on
from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.cache import Key, ObjectCache, Owner, owner_of
from sentinel_operator.engine.queue import TimerHandle, Timers

logger = logging.getLogger(__name__)

BUSY_SECONDS = 60.0
"""How soon a model is looked at whose GPUs only became more or less busy, at the earliest."""
BUSY_GAP = 1.0
"""Seconds between two such models: in a large cluster each has its turn less often, and the operator goes on idling."""
_MARGIN = timedelta(seconds=1)
PodName = tuple[str, str]


class NodeTelemetries:
    """An index over the cache of NodeTelemetries.

    Agents write every half minute. What makes a difference wakes the owners of the pods concerned at once, and so does
    a node that falls silent; how busy GPUs are is taken in, and seen by the passes that come anyway, or by one whose
    turn it is.
    """

    def __init__(
        self,
        *,
        pods: ObjectCache,
        wake: Callable[[Owner, float], None],
        timers: Timers,
        now: Callable[[], datetime],
    ) -> None:
        self._pods, self._wake, self._timers, self._now = pods, wake, timers, now
        self._known: dict[str, NodeTelemetryStatus] = {}
        self._judged: dict[str, object] = {}
        self._silence: dict[str, TimerHandle] = {}
        self._turns = Turns(timers)

    def of(self, pods: Iterable[Manifest]) -> dict[str, NodeTelemetryStatus]:
        """Gives what the nodes of pods have told, by node."""
        if not self._known:
            return {}
        nodes = {(pod.get("spec") or {}).get("nodeName") or "" for pod in pods}
        return {node: self._known[node] for node in nodes if node in self._known}

    def seen(self, key: Key, raw: Manifest | None) -> None:
        """Takes in an object as it is known from now on; None for one that is gone."""
        before, judged_before = self._known.pop(key.name, None), self._judged.pop(key.name, None)
        after = _parsed(raw) if raw is not None else None
        if after is not None:
            self._known[key.name], self._judged[key.name] = after, judged(after)
        self._listen(key.name)
        if self._judged.get(key.name) != judged_before or self._speaks(after) > self._speaks(before):
            for owner in self._owners(_pods(before) | _pods(after)):
                self._wake(owner, 0.0)
        elif before is not None and after is not None:
            for owner in self._owners(_busier(before, after)):
                delay = self._turns.next(owner)
                if delay is not None:
                    self._wake(owner, delay)

    def _listen(self, node: str) -> None:
        """Has it noticed when a node says nothing any more; one timer a node, set anew only when it runs out."""
        status = self._known.get(node)
        if status is None:
            handle = self._silence.pop(node, None)
            if handle is not None:
                handle.cancel()
        elif node not in self._silence and (left := self._left(status)) > 0:
            self._silence[node] = self._timers.call_at(self._timers.time() + left, self._check, node)

    def _check(self, node: str) -> None:
        del self._silence[node]
        self._listen(node)
        if node not in self._silence:
            for owner in self._owners(_pods(self._known.get(node))):
                self._wake(owner, 0.0)

    def _left(self, status: NodeTelemetryStatus) -> float:
        """Gives the seconds until what a node told says nothing of now; none, where it never did."""
        observed = parse_time(status.observed_at) if status.observed_at else None
        return (observed + STALE + _MARGIN - self._now()).total_seconds() if observed is not None else 0.0

    def _speaks(self, status: NodeTelemetryStatus | None) -> bool:
        return status is not None and self._left(status) > 0

    def _owners(self, pods: Iterable[PodName]) -> set[Owner]:
        found = (self._pods.get(Key(*pod)) for pod in pods)
        return {owner for raw in found if raw is not None and (owner := owner_of(raw)) is not None}


class Turns:
    """Gives each of many its turn: none before `BUSY_SECONDS` have passed, nor sooner than `BUSY_GAP` after another."""

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self._due: dict[Owner, float] = {}
        """In the order of their turns."""
        self._last = float("-inf")

    def next(self, owner: Owner) -> float | None:
        """Gives the seconds until its turn; None for one that has its turn already."""
        now = self._timers.time()
        while self._due and next(iter(self._due.values())) <= now:
            del self._due[next(iter(self._due))]
        if owner in self._due:
            return None
        self._last = max(now + BUSY_SECONDS, self._last + BUSY_GAP)
        self._due[owner] = self._last
        return self._last - now


def _pods(status: NodeTelemetryStatus | None) -> set[PodName]:
    return {pod for device in status.devices for pod in pods_on(device)} if status is not None else set()


def _busier(before: NodeTelemetryStatus, after: NodeTelemetryStatus) -> set[PodName]:
    """Gives the pods whose GPUs are told to be more or less busy than before."""
    then, now = busyness(before), busyness(after)
    return {pod for pod, busy in now.items() if then.get(pod) != busy}


def _parsed(raw: Manifest) -> NodeTelemetryStatus | None:
    try:
        return NodeTelemetryStatus.model_validate(raw.get("status") or {})
    except ValidationError as error:
        logger.warning("NodeTelemetry %s makes no sense: %s", raw["metadata"]["name"], error.errors()[0]["msg"])
        return None
