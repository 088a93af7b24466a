"""What came of mirroring to one candidate."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest

from prometheus_client import Metric

from sentinel_operator.api.active import Reading
from sentinel_workloads.model_server.observe.cells import Counter, Histogram
from sentinel_workloads.model_server.observe.figures import SECONDS

PREFIX = "sentinel_shadow"
DIFFERENCES = (0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


class Tally:
    """Counts for one pair of revisions: who answered the clients, and who was asked too."""

    def __init__(self, *, model: str, revision: str, candidate: str) -> None:
        self._common = {"model": model, "revision": revision, "candidate": candidate}
        self.compared = self.agreed = self.failed = self.dropped = 0
        self._difference = Histogram(f"{PREFIX}_score_difference", "Difference of confidence, by row.", DIFFERENCES)
        self._seconds = {
            side: Histogram(f"{PREFIX}_latency_seconds", "From request to answer in each server.", SECONDS)
            for side in ("active", "candidate")
        }

    def compare(self, mine: tuple[list[str], list[float]], seconds: float, theirs: Reading) -> None:
        """Counts a request that both answered."""
        labels, scores = mine
        self.compared += 1
        self.agreed += all(one == other for one, other in zip_longest(labels, theirs.labels))
        for one, other in zip(scores, theirs.scores, strict=False):
            self._difference.observe(abs(one - other))
        self._seconds["active"].observe(seconds)
        self._seconds["candidate"].observe(theirs.seconds)

    def families(self) -> Iterable[Metric]:
        """Gives the metrics of the contract (api.active)."""
        counts = (
            ("compared", "Requests that both answered.", self.compared),
            ("agreed", "Of these, such with the same label for every row.", self.agreed),
            ("failed", "Requests that the candidate did not answer.", self.failed),
            ("dropped", "Requests that found the queue full.", self.dropped),
        )
        for name, text, count in counts:
            counter = Counter(f"{PREFIX}_{name}", text)
            counter.add((), count)
            yield counter.family(self._common)
        yield self._difference.family(self._common)
        durations = [cell.family({**self._common, "side": side}) for side, cell in self._seconds.items()]
        durations[0].samples.extend(durations[1].samples)
        yield durations[0]
