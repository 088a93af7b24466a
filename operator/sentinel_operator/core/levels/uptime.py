"""How long something was up, of the time for which that is known. Nothing is said of a time that nobody saw."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from sentinel_operator.core.levels.measured import Measured, since, unknown

Standing = Literal["Up", "Down", "Off"]
"""Off: it is not meant to serve, or has never served yet. That time counts neither way."""
LEAST = timedelta(minutes=10)
"""Of less, no share of the time is told."""
MOST_SPANS = 512


@dataclass(frozen=True, slots=True)
class Span:
    """From a moment until the next span, or until now."""

    at: datetime
    standing: Standing


@dataclass(frozen=True, slots=True)
class Uptime:
    """What was seen, the oldest first; never empty."""

    spans: tuple[Span, ...]

    @classmethod
    def began(cls, standing: Standing, at: datetime) -> Uptime:
        """Begins to know."""
        return cls((Span(at, standing),))

    @property
    def standing(self) -> Standing:
        """Gives how it stands."""
        return self.spans[-1].standing

    def then(self, standing: Standing, at: datetime) -> Uptime:
        """Takes in how it stands from a moment on; a clock that was set back makes no time negative."""
        if standing == self.standing:
            return self
        return Uptime((*self.spans, Span(max(at, self.spans[-1].at), standing))[-MOST_SPANS:])

    def up_before(self, at: datetime) -> Uptime:
        """Takes in that it was up from an earlier moment on until what is known begins; only if it was up then."""
        first = self.spans[0]
        if first.standing != "Up" or at >= first.at:
            return self
        return Uptime((replace(first, at=at), *self.spans[1:]))

    def forgot(self, before: datetime) -> Uptime:
        """Gives the same without what was over before a moment."""
        kept = [span for span, after in zip(self.spans, self.spans[1:], strict=False) if after.at > before]
        return Uptime((*kept, self.spans[-1]))

    def over(self, window: timedelta, now: datetime) -> Measured:
        """Gives the share of the time within the window in which it was up."""
        begin = now - window
        ends = [*(span.at for span in self.spans[1:]), now]
        seconds = {"Up": 0.0, "Down": 0.0, "Off": 0.0}
        for span, end in zip(self.spans, ends, strict=True):
            seconds[span.standing] += max(0.0, (end - max(span.at, begin)).total_seconds())
        meant = seconds["Up"] + seconds["Down"]
        known = max(self.spans[0].at, begin)
        if meant < LEAST.total_seconds():
            return unknown(f"the operator has seen it {since(known, now)}, {LEAST.seconds // 60} m are needed")
        return Measured(value=100.0 * seconds["Up"] / meant, told=f"by the operator, {since(known, now)}")
