"""What the pods of a workload counted within a window that moves, of which each look counts once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sentinel_operator.core.analysis.contrast import Counts, add_histograms
from sentinel_operator.core.analysis.exposition import BAD, PodCounts
from sentinel_operator.core.analysis.quantile import beyond_last_bound, quantile, total
from sentinel_operator.core.analysis.window import Seen, Snapshot, counted
from sentinel_operator.core.levels.measured import Level, Measured, since, unknown

LOOKS = 5
"""In a window: so much of it at most is told of too late, or for too long."""
_P99 = 0.99
_FAMILIES = ("requests", "seconds")


@dataclass(frozen=True, slots=True)
class Stretch:
    """What was counted from one moment to another."""

    begun: datetime
    ended: datetime
    requests: Counts
    seconds: Counts


@dataclass(frozen=True, slots=True)
class Tally:
    """The newest look, and what was counted between those before it."""

    last: Snapshot
    stretches: tuple[Stretch, ...] = ()

    @classmethod
    def begun(cls, look: Snapshot) -> Tally:
        """Begins to count: what pods had counted before is nobody's evidence."""
        return cls(_needed(look))

    def counted(self, look: Snapshot, *, there: Collection[str], window: timedelta) -> Tally:
        """Takes in a look. A pod that is still `there` and did not answer counts on from when it last did."""
        look = _needed(look)
        new = Stretch(
            self.last.at,
            look.at,
            counted("requests", before=self.last, after=look),
            counted("seconds", before=self.last, after=look),
        )
        silent = {uid: seen for uid, seen in self.last.pods.items() if uid in there and uid not in look.pods}
        kept = [each for each in self.stretches if each.ended > look.at - window]
        if kept and new.ended - kept[-1].begun <= window / (2 * LOOKS):
            new = _together(kept.pop(), new)
        return Tally(replace(look, pods={**silent, **look.pods}), (*kept, new))

    def over(self, level: Level, *, window: timedelta, least: int, now: datetime) -> Measured:
        """Gives latency or success within the window; of too few requests, nothing is said."""
        within = [each for each in self.stretches if each.ended > now - window]
        begun = within[0].begun if within else self.last.at
        requests = sum(sum(each.requests.values()) for each in within)
        how = f"by the pods' own counts of {requests:.0f} requests {since(begun, now)}"
        if requests < least:
            return unknown(f"{how}, {least} are needed")
        if level == "successRatePercent":
            bad = sum(each.requests.get(BAD, 0.0) for each in within)
            return Measured(value=100.0 * (1.0 - bad / requests), told=how)
        histogram: Counts = {}
        for each in within:
            histogram = add_histograms(histogram, each.seconds)
        if total(histogram) < least:
            return unknown(f"{how}, of which {total(histogram):.0f} tell how long they took, {least} are needed")
        value = 1000.0 * quantile(histogram, _P99)
        return Measured(value=value, told=f"{how}; it is more" if beyond_last_bound(histogram, _P99) else how)


def _needed(look: Snapshot) -> Snapshot:
    """Leaves out what is not asked for: a thousand workloads are kept at once."""
    return Snapshot(look.at, {uid: _lean(seen) for uid, seen in look.pods.items()})


def _lean(seen: Seen) -> Seen:
    families = {name: seen.counts.families[name] for name in _FAMILIES if name in seen.counts.families}
    return Seen(seen.revision, PodCounts(seen.counts.started, families))


def _together(left: Stretch, right: Stretch) -> Stretch:
    requests = {
        name: left.requests.get(name, 0.0) + right.requests.get(name, 0.0)
        for name in {**left.requests, **right.requests}
    }
    return Stretch(left.begun, right.ended, requests, add_histograms(left.seconds, right.seconds))
