"""Kubernetes Events: a repetition is counted in a series instead of sent anew, and no object can flood the cluster."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from sentinel_operator.core.plan import Event, Manifest, ObjectRef
from sentinel_operator.engine.errors import ApiError, NotFound, NotLeader
from sentinel_operator.engine.resources import EVENTS, Resource

logger = logging.getLogger(__name__)

_CONTROLLER = "sentinel.dev/operator"
_LONGEST_NOTE = 1024
_SERIES_ENDS_AFTER = 360.0
_BURST, _REFILL_SECONDS = 25.0, 20.0
_REMEMBERED = 4096
_WAITING = 1024
_SEND_TIMEOUT = 10.0

Identity = tuple[str, str, str, str, str]


class EventApi(Protocol):
    """What is needed of the API client."""

    async def create(self, resource: Resource, manifest: Manifest, /, *, field_manager: str = ...) -> Manifest:
        """Creates an Event."""

    async def patch(
        self, resource: Resource, ref: ObjectRef, body: Manifest, /, *, field_manager: str = ...
    ) -> Manifest:
        """Merges a series into an Event."""


class DropMetrics(Protocol):
    """Where losses are reported."""

    def event_dropped(self, reason: str) -> None:
        """Counts an event that nobody will see."""


@dataclass(slots=True)
class _Series:
    manifest: Manifest
    count: int
    last: float
    created: bool = False


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled: float


class EventRecorder:
    """Queues events at once and sends them from its own task; what does not fit is dropped and counted.

    The same event (object, type, reason, note) within six minutes becomes a series, as in client-go. An object may
    send 25 at once and one more every 20 seconds.
    """

    def __init__(
        self,
        api: EventApi,
        *,
        instance: str,
        metrics: DropMetrics,
        clock: Callable[[], float],
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._api, self._instance, self._metrics, self._clock, self._wall = api, instance, metrics, clock, wall
        self._series: OrderedDict[Identity, _Series] = OrderedDict()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._waiting: asyncio.Queue[_Series] = asyncio.Queue(maxsize=_WAITING)

    def record(self, regarding: Manifest, event: Event) -> None:
        """Queues an event about an object; never waits, never raises."""
        uid = regarding["metadata"]["uid"]
        identity = (uid, event.type, event.reason, event.message, regarding["metadata"]["name"])
        now = self._clock()
        if not self._allowed(uid, now):
            self._metrics.event_dropped("rate")
            return
        series = self._series.get(identity)
        if series is None or now - series.last > _SERIES_ENDS_AFTER:
            series = self._series[identity] = _Series(self._manifest(regarding, event), 0, now)
        series.count, series.last = series.count + 1, now
        self._series.move_to_end(identity)
        while len(self._series) > _REMEMBERED:
            self._series.popitem(last=False)
        try:
            self._waiting.put_nowait(series)
        except asyncio.QueueFull:
            self._metrics.event_dropped("queue_full")

    async def run(self) -> None:
        """Sends until cancelled."""
        while True:
            series = await self._waiting.get()
            try:
                async with asyncio.timeout(_SEND_TIMEOUT):
                    await self._send(series)
            except (ApiError, NotLeader, TimeoutError) as error:
                self._metrics.event_dropped("failed")
                logger.warning("an event was not sent: %s", error)
            finally:
                self._waiting.task_done()

    async def flushed(self) -> None:
        """Waits until everything queued is sent. The caller bounds the time; `run` must still run."""
        await self._waiting.join()

    async def _send(self, series: _Series) -> None:
        if not series.created:
            await self._api.create(EVENTS, series.manifest)
            series.created = True
            return
        last = {"count": series.count, "lastObservedTime": _micro(self._wall())}
        try:
            await self._api.patch(EVENTS, ObjectRef.of(series.manifest), {"series": last})
        except NotFound:  # it has expired; the next repetition makes a new one
            series.last = float("-inf")

    def _allowed(self, uid: str, now: float) -> bool:
        bucket = self._buckets.setdefault(uid, _Bucket(_BURST, now))
        self._buckets.move_to_end(uid)
        while len(self._buckets) > _REMEMBERED:
            self._buckets.popitem(last=False)
        bucket.tokens = min(_BURST, bucket.tokens + (now - bucket.filled) / _REFILL_SECONDS)
        bucket.filled = now
        if bucket.tokens < 1.0:
            return False
        bucket.tokens -= 1.0
        return True

    def _manifest(self, regarding: Manifest, event: Event) -> Manifest:
        about = regarding["metadata"]
        namespace = about.get("namespace") or "default"
        return {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {"namespace": namespace, "name": f"{about['name'][:200]}.{secrets.token_hex(8)}"},
            "eventTime": _micro(self._wall()),
            "type": event.type,
            "reason": event.reason,
            "note": event.message[:_LONGEST_NOTE],
            "action": event.reason,
            "reportingController": _CONTROLLER,
            "reportingInstance": self._instance[:128],
            "regarding": {
                "apiVersion": regarding["apiVersion"],
                "kind": regarding["kind"],
                "namespace": about.get("namespace", ""),
                "name": about["name"],
                "uid": about["uid"],
                "resourceVersion": about.get("resourceVersion", ""),
            },
        }


def _micro(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
