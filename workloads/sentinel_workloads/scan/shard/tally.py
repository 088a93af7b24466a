"""What a shard has done, as it is asked for while it runs."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from sentinel_operator.api.scanning import Counts, Progress, ResultLine

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


def counted(before: Counts, lines: Sequence[ResultLine], *, read_bytes: int) -> Counts:
    """The counts with a batch added."""
    verdicts = [line.verdict for line in lines]
    return Counts(
        documents=before.documents + len(lines),
        clean=before.clean + verdicts.count("Clean"),
        elevated=before.elevated + verdicts.count("Elevated"),
        quarantined=before.quarantined + verdicts.count("Quarantined"),
        failed=before.failed + verdicts.count("Error"),
        cached=before.cached + sum(line.cached for line in lines),
        bytes=read_bytes,
    )


class Tally:
    """Progress and metrics of one pod. What an earlier pod of the shard did is in its progress, not in its metrics."""

    def __init__(self, *, index: int, total_bytes: int) -> None:
        self.progress = Progress(step="shard", index=index, total_bytes=total_bytes)
        self._registry = CollectorRegistry()
        here = self._registry
        self._documents = Counter("sentinel_scan_documents", "Documents by verdict.", ["verdict"], registry=here)
        self._cached = Counter("sentinel_scan_cached", "Documents whose judgement was in the cache.", registry=here)
        self._read = Gauge("sentinel_scan_bytes", "Bytes of the shard that were read.", registry=here)
        self._total = Gauge("sentinel_scan_total_bytes", "Bytes of the shard.", registry=here)
        self._ignored = Gauge("sentinel_scan_cache_segments_ignored", "Segments of the cache not used.", registry=here)
        self._seconds = Histogram(
            "sentinel_scan_batch_seconds", "From a batch's documents to its part.", buckets=_SECONDS, registry=here
        )
        self._total.set(total_bytes)

    def start(self, counts: Counts, *, ignored: int) -> None:
        """Begins where an earlier pod ended."""
        self.progress = self.progress.model_copy(update={"counts": counts})
        self._ignored.set(ignored)

    def batch(self, counts: Counts, lines: Sequence[ResultLine], *, seconds: float) -> None:
        """A batch is done."""
        self.progress = self.progress.model_copy(update={"counts": counts})
        for line in lines:
            self._documents.labels(verdict=line.verdict).inc()
        self._cached.inc(sum(line.cached for line in lines))
        self._read.set(counts.bytes)
        self._seconds.observe(seconds)

    def metrics(self) -> bytes:
        """The metrics as Prometheus reads them."""
        return generate_latest(self._registry)
