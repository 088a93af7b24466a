"""What nodes tell of themselves, as the operator knows it, and whom a change of it concerns."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from pydantic import ValidationError

from sentinel_operator.api.nodetelemetry import NodeTelemetryStatus
from sentinel_operator.core.gpu.join import judged, pods_on
from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.cache import Key, ObjectCache, Owner, owner_of

logger = logging.getLogger(__name__)

BUSY_SECONDS = 60.0
"""How soon a model is looked at whose GPUs only became more or less busy."""
PodName = tuple[str, str]


class NodeTelemetries:
    """An index over the cache of NodeTelemetries.

    Agents write every half minute. What makes a difference wakes the owners of the pods concerned at once; the rest is
    taken in, and seen by the passes that come anyway, or by one a minute.
    """

    def __init__(self, *, pods: ObjectCache, wake: Callable[[Owner, float], None]) -> None:
        self._pods, self._wake = pods, wake
        self._known: dict[str, NodeTelemetryStatus] = {}
        self._judged: dict[str, object] = {}

    def of(self, pods: Iterable[Manifest]) -> dict[str, NodeTelemetryStatus]:
        """Gives what the nodes of pods have told, by node."""
        if not self._known:
            return {}
        nodes = {(pod.get("spec") or {}).get("nodeName") or "" for pod in pods}
        return {node: self._known[node] for node in nodes if node in self._known}

    def seen(self, key: Key, raw: Manifest | None) -> None:
        """Takes in an object as it is known from now on; None for one that is gone."""
        before, seen_before = self._known.pop(key.name, None), self._judged.pop(key.name, None)
        after = _parsed(raw) if raw is not None else None
        if after is not None:
            self._known[key.name], self._judged[key.name] = after, judged(after)
        after_seconds = 0.0 if self._judged.get(key.name) != seen_before else BUSY_SECONDS
        for owner in {owner for each in _pods(before) | _pods(after) if (owner := self._owner(each)) is not None}:
            self._wake(owner, after_seconds)

    def _owner(self, pod: PodName) -> Owner | None:
        raw = self._pods.get(Key(*pod))
        return owner_of(raw) if raw is not None else None


def _pods(status: NodeTelemetryStatus | None) -> set[PodName]:
    return {pod for device in status.devices for pod in pods_on(device)} if status is not None else set()


def _parsed(raw: Manifest) -> NodeTelemetryStatus | None:
    try:
        return NodeTelemetryStatus.model_validate(raw.get("status") or {})
    except ValidationError as error:
        logger.warning("NodeTelemetry %s makes no sense: %s", raw["metadata"]["name"], error.errors()[0]["msg"])
        return None
