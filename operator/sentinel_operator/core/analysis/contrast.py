"""Counts of the same things in two revisions over the same time: what every comparison starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sentinel_operator.api.analysis import Evidence

MAX_BINS = 64
BIN_LENGTH = 64
OTHERS = "(others)"

Counts = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Contrast:
    """Counts by bin. Bins of a histogram are its bounds, and their counts are cumulative, as Prometheus gives them."""

    canary: Counts
    stable: Counts
    paired: bool = False
    """Both were given the same inputs, and `canary` counts the answers that were the same and those that were not."""

    def plus(self, other: Contrast) -> Contrast:
        """Adds the counts of another time. Answers compared one by one say more than what was counted apart."""
        if self.paired != other.paired:
            return self if self.paired else other
        if self.paired:
            return Contrast(_sum(self.canary, other.canary), {}, paired=True)
        return Contrast(_sum(self.canary, other.canary), _sum(self.stable, other.stable))

    def plus_histogram(self, other: Contrast) -> Contrast:
        """Adds the counts of another time on the bounds that all have: two releases may count in other buckets."""
        parts = [part for part in (self.canary, self.stable, other.canary, other.stable) if part]
        common = _thinned(sorted(frozenset[str].intersection(*map(frozenset, parts)), key=float)) if parts else []

        def on_common(left: Counts, right: Counts) -> Counts:
            return {le: left.get(le, 0.0) + right.get(le, 0.0) for le in common}

        return Contrast(on_common(self.canary, other.canary), on_common(self.stable, other.stable))


def _thinned(bounds: list[str]) -> list[str]:
    """Leaves out bounds evenly, never the last, until they fit in a status."""
    step = -(-len(bounds) // MAX_BINS)
    return bounds if step <= 1 else bounds[::-step][::-1]


def _sum(left: Counts, right: Counts) -> Counts:
    return {name: left.get(name, 0.0) + right.get(name, 0.0) for name in (*left, *(right.keys() - left.keys()))}


def add_histograms(left: Counts, right: Counts) -> Counts:
    """Adds two cumulative histograms on the bounds that both have; an empty one adds nothing."""
    if not left or not right:
        return dict(left or right)
    return {le: left[le] + right[le] for le in left if le in right}


def to_evidence(contrast: Contrast) -> Evidence:
    """Makes the counts fit for a status: bounded, with the rarest bins together."""
    names = sorted(
        {*contrast.canary, *contrast.stable},
        key=lambda name: (-contrast.canary.get(name, 0.0) - contrast.stable.get(name, 0.0), name),
    )
    kept = names if len(names) <= MAX_BINS else [name for name in names if name != OTHERS][: MAX_BINS - 1]
    canary, stable = _bounded(contrast.canary, kept), _bounded(contrast.stable, kept)
    bins = [*canary, *(stable.keys() - canary.keys())]
    return Evidence(
        bins=bins,
        canary=[canary.get(name, 0.0) for name in bins],
        stable=[stable.get(name, 0.0) for name in bins],
        paired=contrast.paired,
    )


def _bounded(counts: Counts, kept: list[str]) -> dict[str, float]:
    known, out = frozenset(kept), dict[str, float]()
    for name in (*kept, *(each for each in counts if each not in known)):
        short = name[:BIN_LENGTH] if name in known else OTHERS
        out[short] = out.get(short, 0.0) + counts.get(name, 0.0)
    return out


def from_evidence(evidence: Evidence | None) -> Contrast:
    """Reads counts back; a status that somebody garbled counts as empty."""
    if evidence is None or not len(evidence.bins) == len(evidence.canary) == len(evidence.stable):
        return Contrast({}, {})
    canary = dict(zip(evidence.bins, evidence.canary, strict=True))
    if evidence.paired:
        return Contrast(canary, {}, paired=True)
    return Contrast(canary, dict(zip(evidence.bins, evidence.stable, strict=True)))
