"""Bounds of a share that hold at every look at once, so that one may look as often as one likes and stop at will.

The bounds are those of Robbins' beta-binomial mixture: the likelihood of each share against a mixture of all shares is
a martingale, so that the true share is ever outside with probability `error` at most (Ville's inequality), whatever the
number of looks. Needs no minimum of samples and no normal approximation. Answers are taken to be independent.
Sources: Robbins 1970; Howard, Ramdas, McAuliffe, Sekhon 2021, "Time-uniform, nonparametric, nonasymptotic confidence
sequences", §3.3; Johari, Pekelis, Walsh 2015, "Always valid inference".
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, lgamma, log
from typing import Literal

_PRIOR = 0.5
_ROUNDS = 60


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many."""

    hits: float
    of: float

    @property
    def estimate(self) -> float:
        """Gives the share as counted; 0 of nothing is 0."""
        return self.hits / self.of if self.of > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between these the true share lies."""

    low: float
    high: float


def _log_beta(left: float, right: float) -> float:
    return lgamma(left) + lgamma(right) - lgamma(left + right)


def _times_log(count: float, share: float) -> float:
    if count <= 0:
        return 0.0
    return count * log(share) if share > 0 else -inf


def log_evidence(counted: Share, share: float) -> float:
    """Gives the logarithm of the martingale against a share: large where the counts speak against it."""
    misses = max(0.0, counted.of - counted.hits)
    mixture = _log_beta(_PRIOR + counted.hits, _PRIOR + misses) - _log_beta(_PRIOR, _PRIOR)
    return mixture - _times_log(counted.hits, share) - _times_log(misses, 1.0 - share)


def bounds(counted: Share, *, error: float) -> Bounds:
    """Gives the bounds that hold at all looks with probability 1 - error."""
    if counted.of <= 0:
        return Bounds(0.0, 1.0)
    return Bounds(
        _edge(counted, outside=0.0, limit=log(1.0 / error)), _edge(counted, outside=1.0, limit=log(1.0 / error))
    )


def _edge(counted: Share, *, outside: float, limit: float) -> float:
    inside = min(1.0, max(0.0, counted.estimate))
    if log_evidence(counted, outside) < limit:
        return outside
    for _ in range(_ROUNDS):
        middle = (inside + outside) / 2
        if log_evidence(counted, middle) < limit:
            inside = middle
        else:
            outside = middle
    return outside


def surely_above(counted: Share, share: float, *, error: float) -> bool:
    """Tells whether the true share is greater: `bounds(…).low > share`, at once."""
    return counted.of > 0 and counted.estimate > share and log_evidence(counted, share) >= log(1.0 / error)


def surely_below(counted: Share, share: float, *, error: float) -> bool:
    """Tells whether the true share is smaller: `bounds(…).high < share`, at once."""
    return counted.of > 0 and counted.estimate < share and log_evidence(counted, share) >= log(1.0 / error)


Finding = Literal["Above", "Within", "Open"]


def compare(canary: Share, stable: Share, *, ratio: float, plus: float, error: float) -> Finding:
    """Tells whether canary's share is surely above, or surely within, `ratio` × stable's + `plus`.

    Half of the error goes to each revision; where stable does not matter (ratio 0) canary has all of it.
    """
    low = high = plus
    if ratio:
        error /= 2
        theirs = bounds(stable, error=error)
        low, high = theirs.low * ratio + plus, theirs.high * ratio + plus
    if surely_above(canary, high, error=error):
        return "Above"
    return "Within" if surely_below(canary, low, error=error) else "Open"
