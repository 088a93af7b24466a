"""What the pods counted between two looks: each pod against itself, over the same time for both revisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sentinel_operator.api.analysis import Builtin
from sentinel_operator.core.analysis.contrast import Contrast, Counts, add_histograms
from sentinel_operator.core.analysis.exposition import PodCounts

HISTOGRAMS = frozenset({"seconds", "scores"})
FAMILY_OF: Mapping[Builtin, str] = {
    "error-rate": "requests",
    "latency-p99": "seconds",
    "label-agreement": "labels",
    "score-psi": "scores",
    "uncertain-share": "certainty",
    "flagged-share": "rows",
}
_CLOCKS_APART = 1.0


@dataclass(frozen=True, slots=True)
class Seen:
    """One pod at one look."""

    revision: str
    counts: PodCounts


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All pods that answered at one look, by uid."""

    at: datetime
    pods: Mapping[str, Seen]


def contrast(builtin: Builtin, *, canary: str, stable: str, before: Snapshot, after: Snapshot) -> Contrast:
    """Gives what a built-in compares. `canary` and `stable` are revisions."""
    family = FAMILY_OF[builtin]
    if builtin == "label-agreement" and any("agreement" in pod.counts.families for pod in after.pods.values()):
        # The same inputs given to both say more than two mixes of labels. Whoever mirrors them has compared.
        return Contrast(_counted("agreement", None, before=before, after=after), {}, paired=True)
    found = Contrast(
        _counted(family, canary, before=before, after=after), _counted(family, stable, before=before, after=after)
    )
    return found.plus_histogram(Contrast({}, {})) if family in HISTOGRAMS else found


def counted(family: str, *, before: Snapshot, after: Snapshot) -> Counts:
    """Gives what all pods counted, of whichever revision they are."""
    return _counted(family, None, before=before, after=after)


def _counted(family: str, revision: str | None, *, before: Snapshot, after: Snapshot) -> Counts:
    total: Counts = {}
    for uid, pod in sorted(after.pods.items()):
        if revision is not None and pod.revision != revision:
            continue
        total = _added(family, total, _difference(family, before.pods.get(uid), pod.counts, before.at))
    return total


def _difference(family: str, earlier: Seen | None, now: PodCounts, since: datetime) -> Counts:
    """A pod that came, or whose process did, counts in full; one that was there unseen does not count yet."""
    counts = now.families.get(family, {})
    started_since = now.started >= since.timestamp() - _CLOCKS_APART  # false for NaN
    if earlier is None:
        return counts if started_since else {}
    past = earlier.counts.families.get(family, {})
    if _was_reset(past, counts) or (started_since and now.started > earlier.counts.started + _CLOCKS_APART):
        return counts
    return {name: value - past.get(name, 0.0) for name, value in counts.items()}


def _was_reset(past: Counts, now: Counts) -> bool:
    return any(value > now.get(name, 0.0) for name, value in past.items())


def _added(family: str, left: Counts, right: Counts) -> Counts:
    if family in HISTOGRAMS:
        return add_histograms(left, right)
    return {name: left.get(name, 0.0) + right.get(name, 0.0) for name in (*left, *(right.keys() - left.keys()))}
