"""Every metric of the operator, in a registry of its own; labels never hold names of objects."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

_PREFIX = "sentinel_controller"
_PASS_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_WAIT_BUCKETS = (0.001, 0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300)


class Metrics:
    """Implements what each part of the engine wants to report."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter, which nobody asks for
        self.registry = CollectorRegistry()
        self._results = self._counter("reconcile_total", "Passes by outcome", "controller", "result")
        self._reconciliations = self._counter("reconciliations_total", "Passes of every kind by outcome", "result")
        self._seconds = self._histogram("reconcile_duration_seconds", "Time of a pass", _PASS_BUCKETS, "controller")
        self._depth = self._gauge("workqueue_depth", "Keys that wait", "controller")
        self._all_depths = self._gauge("reconciliation_queue_depth", "Keys of every kind that wait")
        self._adds = self._counter("workqueue_adds_total", "Additions that made a key wait", "controller")
        self._retries = self._counter("workqueue_retries_total", "Failures to be tried again", "controller")
        self._wait = self._histogram("workqueue_latency_seconds", "How long a key waited", _WAIT_BUCKETS, "controller")
        self._requests = self._counter("api_requests_total", "Requests to the API server", "verb", "kind", "code")
        self._leader = self._gauge("leader", "1 while this replica leads")
        self._cached = self._gauge("cache_objects", "Objects known", "kind")
        self._restarts = self._counter("watch_restarts_total", "Watches that broke off", "kind", "reason")
        self._rollouts = self._gauge("rollouts", "Rollouts by what they do with the change budget", "state")
        self._plans = Counter(
            "sentinel_plans_total", "ActionPlans that came to a state", ("state",), registry=self.registry
        )
        self._published = Counter(
            "sentinel_cloudevents_total",
            "Attempts to tell the sink of a plan's transition, by what came of them, and transitions lost untold",
            ("result",),
            registry=self.registry,
        )
        self._pending = Gauge(
            "sentinel_cloudevents_pending", "Transitions that the sink is still to be told of", registry=self.registry
        )
        self._dropped = self._counter("events_dropped_total", "Events not sent", "reason")

    def render(self) -> bytes:
        """Gives everything in Prometheus' text format."""
        return generate_latest(self.registry)

    def reconciled(self, controller: str, result: str, seconds: float) -> None:
        """Counts one pass."""
        self._results.labels(controller, result).inc()
        self._reconciliations.labels(result).inc()
        self._seconds.labels(controller).observe(seconds)

    def requested(self, verb: str, kind: str, code: int) -> None:
        """Counts one answer; code 0 is no answer."""
        self._requests.labels(verb, kind, str(code)).inc()

    def cached(self, kind: str, count: int) -> None:
        """Sets how many objects are known."""
        self._cached.labels(kind).set(count)

    def watch_restarted(self, kind: str, reason: str) -> None:
        """Counts a watch that did not simply run out."""
        self._restarts.labels(kind, reason).inc()

    def event_dropped(self, reason: str) -> None:
        """Counts an event that nobody will see."""
        self._dropped.labels(reason).inc()

    def plan_became(self, state: str) -> None:
        """Counts an ActionPlan that came to a state."""
        self._plans.labels(state).inc()

    def event_published(self, result: str, count: int = 1) -> None:
        """Counts what became of events to the sink."""
        self._published.labels(result).inc(count)

    def events_pending(self, count: Callable[[], int]) -> None:
        """Asks this function whenever the metrics are read."""
        self._pending.set_function(lambda: float(count()))

    def leads(self, leading: Callable[[], bool]) -> None:
        """Asks this function whenever the metrics are read."""
        self._leader.set_function(lambda: float(leading()))

    def rollouts(self, *, under_way: Callable[[], int], waiting: Callable[[], int]) -> None:
        """Asks these functions whenever the metrics are read."""
        self._rollouts.labels("under_way").set_function(under_way)
        self._rollouts.labels("waiting_for_budget").set_function(waiting)

    def queue(self, controller: str) -> QueueReport:
        """Gives what the queue of a controller reports to."""
        return QueueReport(
            self._depth.labels(controller),
            self._all_depths,
            self._adds.labels(controller),
            self._retries.labels(controller),
            self._wait.labels(controller),
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{_PREFIX}_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"{_PREFIX}_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"{_PREFIX}_{name}", text, labels, buckets=buckets, registry=self.registry)


class QueueReport:
    """Reports one queue; the sum over all of them is kept as well."""

    def __init__(self, depth: Gauge, total: Gauge, adds: Counter, retries: Counter, wait: Histogram) -> None:
        self._depth, self._total, self._adds, self._retries, self._wait = depth, total, adds, retries, wait
        self._last = 0

    def depth(self, count: int) -> None:
        """Sets how many keys wait."""
        self._depth.set(count)
        self._total.inc(count - self._last)
        self._last = count

    def added(self) -> None:
        """Counts an addition that made a key wait."""
        self._adds.inc()

    def retried(self) -> None:
        """Counts a failure that will be tried again."""
        self._retries.inc()

    def waited(self, seconds: float) -> None:
        """Records how long a key waited."""
        self._wait.observe(seconds)
