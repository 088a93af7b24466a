"""What this server tells about itself: by revision, so that two of them can be compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, GCCollector, Metric, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from typing_extensions import override

from sentinel_operator.api.serving import ServingConfig
from sentinel_workloads.model_server.observe.figures import Figures

KEPT = 6
"""Revisions whose figures are told: counters must not vanish at the moment in which they are compared."""
Source = Callable[[], Iterable[Metric]]


class Metrics(Collector):
    """The figures of every revision, real and mirrored traffic apart, and those of whoever adds a source."""

    def __init__(self, config: ServingConfig) -> None:
        self.ready = False
        self.active = config.revision
        """The revision that `ready` is about."""
        self.loaded: set[str] = {config.revision}
        """Revisions whose model is here, or is what this process is for."""
        self._figures: dict[tuple[str, bool], Figures] = {}
        self._sources: list[Source] = []
        self.figures(config)
        self._registry = CollectorRegistry()
        self._registry.register(self)
        for standard in (ProcessCollector, PlatformCollector, GCCollector):
            standard(registry=self._registry)

    def figures(self, config: ServingConfig, *, mirrored: bool = False) -> Figures:
        """Gives the figures of a revision; they go on where they were when it comes back."""
        key = (config.revision, mirrored)
        found = self._figures.get(key)
        if found is None:
            self._forget()
            found = self._figures[key] = Figures(config, mirrored=mirrored)
        return found

    def disown(self, revision: str) -> None:
        """Says nothing more of the revision that the process was made for, when it serves another."""
        self.loaded.discard(revision)
        if not self._figures[revision, False].requests.counts and not self.in_flight_of(revision):
            del self._figures[revision, False]

    def add(self, source: Source) -> None:
        """Has a source's metrics told too."""
        self._sources.append(source)

    @property
    def in_flight(self) -> int:
        """Requests of any revision that have no answer yet."""
        return sum(figures.in_flight for figures in self._figures.values())

    def in_flight_of(self, revision: str) -> int:
        """The same of one revision, of both kinds of traffic."""
        return sum(each.in_flight for (name, _), each in self._figures.items() if name == revision)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """Gives the scrape and its content type, in the format that the scraper asked for."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    @override
    def collect(self) -> Iterable[Metric]:
        """Gives everything as it is now, each metric once with the samples of all revisions."""
        merged: dict[str, Metric] = {}
        for family in self._families():
            known = merged.setdefault(family.name, family)
            if known is not family:
                known.samples.extend(family.samples)
        return merged.values()

    def _families(self) -> Iterator[Metric]:
        for (name, _), figures in self._figures.items():
            yield from figures.families(ready=self.ready and name == self.active, loaded=name in self.loaded)
        for source in self._sources:
            yield from source()

    def _forget(self) -> None:
        """Drops the oldest that are not loaded, so that a pod that lives through many swaps stays as small as it is."""
        idle = [key for key, each in self._figures.items() if key[0] not in self.loaded and not each.in_flight]
        for key in idle[: max(0, len(self._figures) - 2 * KEPT + 1)]:
            del self._figures[key]
