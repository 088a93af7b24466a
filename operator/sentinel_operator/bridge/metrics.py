"""Every metric of the bridge, in a registry of its own; labels never hold names of objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics, generate_latest

_PREFIX = "sentinel_bridge"
Way = Literal["telemetry", "plans", "acks"]
WAYS: tuple[Way, ...] = ("telemetry", "plans", "acks")


class Metrics:
    """Implements what each part of the bridge, and what it uses of the engine, wants to report."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter, which nobody asks for
        self.registry = CollectorRegistry()
        self._leader = self._gauge("leader", "1 while this replica speaks with the brain, or would")
        self._configured = self._gauge("configured", "1 while a brain is configured and its Secrets can be read")
        self._connected = self._gauge(
            "connected", "1 while plans can come in: a stream is open, or a poll was answered"
        )
        self._last = self._gauge("last_success_timestamp_seconds", "When an exchange last succeeded", "exchange")
        self._sent = self._counter("points_sent_total", "Points that the brain has taken")
        self._dropped = self._counter("points_dropped_total", "Points that the brain will not get", "reason")
        self._kept = self._gauge("points_kept", "Points that wait to be sent")
        self._queries = self._counter("queries_total", "Queries of configured metrics", "result")
        self._plans = self._counter("plans_received_total", "Plans that came from the brain", "result")
        self._acks = self._counter("acks_sent_total", "Outcomes that the brain was told", "success", "result")
        self._pending = self._gauge("acks_pending", "Outcomes that the brain has yet to be told")
        self._acks_dropped = self._counter("acks_dropped_total", "Outcomes of which there were too many to keep")
        self._failures = self._counter("failures_total", "Exchanges with the brain that failed", "exchange")
        self._requests = self._counter("api_requests_total", "Requests to the API server", "verb", "kind", "code")
        self._cached = self._gauge("cache_objects", "Objects known", "kind")
        self._restarts = self._counter("watch_restarts_total", "Watches that broke off", "kind", "reason")
        self._sent.inc(0)

    def render(self) -> bytes:
        """Gives everything in Prometheus' text format."""
        return generate_latest(self.registry)

    def leads(self, leading: Callable[[], bool]) -> None:
        """Asks this function whenever the metrics are read."""
        self._leader.set_function(lambda: float(leading()))

    def keeps(self, *, points: Callable[[], int], acks: Callable[[], int]) -> None:
        """Asks these functions whenever the metrics are read."""
        self._kept.set_function(points)
        self._pending.set_function(acks)

    def configured(self, is_so: bool) -> None:
        """Sets whether there is a brain to speak with."""
        self._configured.set(is_so)
        if not is_so:
            self._connected.set(0)

    def connected(self, is_so: bool) -> None:
        """Sets whether plans can come in."""
        self._connected.set(is_so)

    def succeeded(self, way: Way) -> None:
        """Notes the time of an exchange that succeeded."""
        self._last.labels(way).set_to_current_time()

    def failed(self, way: Way) -> None:
        """Counts an exchange that did not."""
        self._failures.labels(way).inc()

    def points_sent(self, count: int) -> None:
        """Counts points that were taken."""
        self._sent.inc(count)

    def points_dropped(self, reason: str, count: int) -> None:
        """Counts points that nobody will see."""
        self._dropped.labels(reason).inc(count)

    def queried(self, result: str) -> None:
        """Counts a query of a configured metric."""
        self._queries.labels(result).inc()

    def plan_received(self, result: str) -> None:
        """Counts a plan by what became of it at the door."""
        self._plans.labels(result).inc()

    def acknowledged(self, *, success: bool, result: str) -> None:
        """Counts an outcome that was told."""
        self._acks.labels(str(success).lower(), result).inc()

    def ack_dropped(self) -> None:
        """Counts an outcome that will not be told."""
        self._acks_dropped.inc()

    def requested(self, verb: str, kind: str, code: int) -> None:
        """Counts one answer of the API server; code 0 is no answer."""
        self._requests.labels(verb, kind, str(code)).inc()

    def cached(self, kind: str, count: int) -> None:
        """Sets how many objects are known."""
        self._cached.labels(kind).set(count)

    def watch_restarted(self, kind: str, reason: str) -> None:
        """Counts a watch that did not simply run out."""
        self._restarts.labels(kind, reason).inc()

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{_PREFIX}_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"{_PREFIX}_{name}", text, labels, registry=self.registry)
