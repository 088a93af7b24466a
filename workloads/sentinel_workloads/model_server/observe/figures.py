"""What is counted of one revision, and of one kind of traffic: real requests, or such as were mirrored here."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import Metric

from sentinel_operator.api.serving import ServingConfig
from sentinel_workloads.model_server.inference.work import Work
from sentinel_workloads.model_server.model.classifier import Readings
from sentinel_workloads.model_server.observe.cells import Counter, Histogram, gauge

PREFIX = "sentinel_model_server"
SEED = "sentinel_workload"
"""The names that the published dashboards and alerts for these workloads expect."""
SECONDS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
ROWS = tuple(float(2**power) for power in range(11))
SCORES = tuple(round(step / 20, 2) for step in range(1, 21))
FAULTS = frozenset({"500", "503", "504", "INTERNAL", "UNAVAILABLE", "DEADLINE_EXCEEDED", "UNKNOWN"})


class Figures:
    """All that is counted of a revision. Only the event loop may write."""

    def __init__(self, config: ServingConfig, *, mirrored: bool = False) -> None:
        self.config = config
        self.mirrored = mirrored
        self._common = {"model": config.name, "revision": config.revision}
        if mirrored:
            self._common["traffic"] = "mirrored"
        self.requests = Counter(f"{PREFIX}_requests", "Requests answered.", "protocol", "code")
        self.predictions = Counter(f"{PREFIX}_predictions", "Rows classified.", "label", "uncertain")
        self.request_seconds = {
            protocol: Histogram(f"{PREFIX}_request_duration_seconds", "From request to answer.", SECONDS)
            for protocol in ("http", "grpc")
        }
        self.inference_seconds = Histogram(f"{PREFIX}_inference_duration_seconds", "Runs of the model.", SECONDS)
        self.batch_size = Histogram(f"{PREFIX}_batch_size", "Rows of a run.", ROWS)
        self.scores = Histogram(f"{PREFIX}_score", "Confidence in the label given.", SCORES)
        self.in_flight = 0
        self.load_seconds = 0.0
        self.digest = config.model_digest
        self.queue_depth: Callable[[], int] = lambda: 0

    def answered(self, protocol: str, code: str, seconds: float) -> None:
        """Counts an answer."""
        self.requests.add((protocol, code))
        self.request_seconds[protocol].observe(seconds)

    def ran(self, works: list[Work], *, rows: int, seconds: float) -> None:
        """Counts a run and what it read."""
        self.inference_seconds.observe(seconds)
        self.batch_size.observe(rows)
        for reading in {id(work.reading): work.reading for work in works}.values():
            if reading is not None:
                self._count(reading.all())

    def read(self, work: Work) -> None:
        """Counts what one work of a run read."""
        if (readings := work.readings) is not None:
            self._count(readings)

    def families(self, *, ready: bool, loaded: bool) -> Iterable[Metric]:
        """Gives everything as it is now. Of mirrored traffic, what the requests came to and nothing of the process."""
        common = self._common
        yield self.requests.family(common)
        yield self.predictions.family(common)
        durations = [cell.family({**common, "protocol": name}) for name, cell in self.request_seconds.items()]
        durations[0].samples.extend(durations[1].samples)
        yield durations[0]
        for histogram in (self.inference_seconds, self.batch_size, self.scores):
            yield histogram.family(common)
        yield gauge(f"{PREFIX}_in_flight", "Requests that have no answer yet.", self.in_flight, common)
        yield from self._seed_counters()
        if not self.mirrored:
            yield from self._of_the_model(ready=ready, loaded=loaded)

    def _count(self, readings: Readings) -> None:
        threshold, labels = self.config.threshold, self.config.labels
        for best, score in zip(readings.best.tolist(), readings.scores.tolist(), strict=True):
            self.scores.observe(score)
            self.predictions.add((labels[best], "true" if score < threshold else "false"))

    def _seed_counters(self) -> Iterable[Metric]:
        common = self._common
        total = sum(self.requests.counts.values())
        faults = sum(count for values, count in self.requests.counts.items() if values[1] in FAULTS)
        for name, text, count in (("requests", "Requests answered.", total), ("errors", "Failures here.", faults)):
            counter = Counter(f"{SEED}_{name}", text)
            counter.add((), count)
            yield counter.family(common)
        yield self.inference_seconds.family(
            common, name=f"{SEED}_inference_latency_ms", text="Runs of the model in milliseconds.", scale=1000.0
        )
        yield self.batch_size.family(common, name=f"{SEED}_batch_size")

    def _of_the_model(self, *, ready: bool, loaded: bool) -> Iterable[Metric]:
        common, config = self._common, self.config
        yield gauge(f"{PREFIX}_queue_depth", "Rows that wait for the model.", self.queue_depth(), common)
        yield gauge(f"{PREFIX}_ready", "1 while requests are welcome.", ready, common)
        if loaded:
            about = {"version": config.version, "digest": self.digest, "task": config.task}
            yield gauge(f"{PREFIX}_model_info", "What is served.", 1, common, **about)
        yield gauge(f"{SEED}_queue_depth", "Rows that wait for the model.", self.queue_depth(), common)
        yield gauge(f"{SEED}_model_load_duration_seconds", "Loading, checking and warming.", self.load_seconds, common)
