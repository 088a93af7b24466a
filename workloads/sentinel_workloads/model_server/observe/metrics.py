"""What this server tells about itself: by revision, so that two of them can be compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, GCCollector, Metric, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from typing_extensions import override

from sentinel_operator.api.serving import ServingConfig
from sentinel_workloads.model_server.inference.work import Work
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


class Metrics(Collector):
    """All that is counted. Only the event loop may write."""

    def __init__(self, config: ServingConfig) -> None:
        self._config = config
        self._common = {"model": config.name, "revision": config.revision}
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
        self.ready = False
        self.load_seconds = 0.0
        self.digest = config.model_digest
        self.queue_depth: Callable[[], int] = lambda: 0
        self._labels = config.labels
        self._registry = CollectorRegistry()
        self._registry.register(self)
        for standard in (ProcessCollector, PlatformCollector, GCCollector):
            standard(registry=self._registry)

    def answered(self, protocol: str, code: str, seconds: float) -> None:
        """Counts an answer."""
        self.requests.add((protocol, code))
        self.request_seconds[protocol].observe(seconds)

    def ran(self, works: list[Work], *, rows: int, seconds: float) -> None:
        """Counts a run and what it read."""
        self.inference_seconds.observe(seconds)
        self.batch_size.observe(rows)
        threshold = self._config.threshold
        for reading in {id(work.reading): work.reading for work in works}.values():
            if reading is None:
                continue
            readings = reading.all()
            for best, score in zip(readings.best.tolist(), readings.scores.tolist(), strict=True):
                self.scores.observe(score)
                self.predictions.add((self._labels[best], "true" if score < threshold else "false"))

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """Gives the scrape and its content type, in the format that the scraper asked for."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    @override
    def collect(self) -> Iterable[Metric]:
        """Gives everything as it is now."""
        common = self._common
        yield self.requests.family(common)
        yield self.predictions.family(common)
        durations = [cell.family({**common, "protocol": name}) for name, cell in self.request_seconds.items()]
        durations[0].samples.extend(durations[1].samples)
        yield durations[0]
        for histogram in (self.inference_seconds, self.batch_size, self.scores):
            yield histogram.family(common)
        yield gauge(f"{PREFIX}_queue_depth", "Rows that wait for the model.", self.queue_depth(), common)
        yield gauge(f"{PREFIX}_in_flight", "Requests that have no answer yet.", self.in_flight, common)
        yield gauge(f"{PREFIX}_ready", "1 while requests are welcome.", self.ready, common)
        yield gauge(
            f"{PREFIX}_model_info",
            "What is served.",
            1,
            common,
            version=self._config.version,
            digest=self.digest,
            task=self._config.task,
        )
        yield from self._seed_names()

    def _seed_names(self) -> Iterable[Metric]:
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
        yield gauge(f"{SEED}_queue_depth", "Rows that wait for the model.", self.queue_depth(), common)
        yield gauge(f"{SEED}_model_load_duration_seconds", "Loading, checking and warming.", self.load_seconds, common)
