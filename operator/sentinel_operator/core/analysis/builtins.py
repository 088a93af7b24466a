"""What a built-in metric makes of counts: its value, stable's, and whether the counts suffice to fail or to pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sentinel_operator.api.analysis import Builtin
from sentinel_operator.core.analysis.bound import Bound
from sentinel_operator.core.analysis.contrast import Contrast, Counts
from sentinel_operator.core.analysis.drift import Distance, at_least, psi, total_variation
from sentinel_operator.core.analysis.exposition import BAD, GOOD, REFUSED
from sentinel_operator.core.analysis.quantile import beyond_last_bound, bins, count_above, quantile, total
from sentinel_operator.core.analysis.sequential import Finding, Share, compare, surely_above, surely_below
from sentinel_operator.core.analysis.window import FAMILY_OF, HISTOGRAMS

P99 = 0.99
_TAIL = 1 - P99
_SURE = 0.01
"""A distance counts where chance gives it more rarely than this."""
_LIKELY = 0.05
"""So does what is beyond a bound, where a revision at the bound shows as much more rarely than this."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What counts amount to. Samples are requests or rows."""

    value: float
    baseline: float
    canary_samples: float
    stable_samples: float
    p_value: float = 0.0
    """Of a distance: how often chance alone gives as much."""
    note: str = ""

    @property
    def fewest(self) -> float:
        """Gives the samples of the revision that has fewer, where both are compared."""
        return min(self.canary_samples, self.stable_samples)


def read(builtin: Builtin, contrast: Contrast, *, comparing: bool = True) -> Reading:
    """Gives the value of a built-in from the counts of both revisions. Where they are compared, requests that were
    refused count as errors: clients make the same mistakes with both, unless the new revision wants other requests."""
    match builtin:
        case "latency-p99":
            return _latency(contrast)
        case "score-psi":
            return _psi(contrast)
        case "label-agreement":
            return _agreement(contrast)
        case _:
            return _share(contrast, comparing=comparing)


def _share(contrast: Contrast, *, comparing: bool) -> Reading:
    canary, stable = share(contrast.canary, comparing=comparing), share(contrast.stable, comparing=comparing)
    refused = contrast.canary.get(REFUSED, 0.0) if comparing else 0.0
    return Reading(
        canary.estimate if canary.of else math.nan,
        stable.estimate if stable.of else math.nan,
        canary.of,
        stable.of,
        note=f"{refused:.0f} refused" if refused else "",
    )


def chance_explains(builtin: Builtin, contrast: Contrast, reading: Reading, bound: Bound) -> bool:
    """Tells whether a value beyond its bound is no more than what a revision within it shows now and then: one error
    in fifty requests says little of a bound of 1 %."""
    if builtin in {"score-psi", "label-agreement"} and not contrast.paired:
        return reading.p_value >= _SURE
    if reading.value < bound.low:
        return False
    limit, samples = bound.upper(reading.baseline), reading.canary_samples
    beyond = samples * reading.value
    if builtin == "latency-p99":
        beyond, limit = count_above(contrast.canary, limit), _TAIL
    return at_least(beyond, samples * limit) >= _LIKELY


def added(builtin: Builtin, left: Contrast, right: Contrast) -> Contrast:
    """Adds the counts of two times."""
    return left.plus_histogram(right) if FAMILY_OF[builtin] in HISTOGRAMS else left.plus(right)


def share(counts: Counts, *, comparing: bool = False) -> Share:
    """Gives the bad ones of all; those that were refused are bad where revisions are compared."""
    bad, refused = counts.get(BAD, 0.0), counts.get(REFUSED, 0.0)
    return Share(bad + refused if comparing else bad, bad + refused + counts.get(GOOD, 0.0))


def _latency(contrast: Contrast) -> Reading:
    note = ""
    if beyond_last_bound(contrast.canary, P99):
        note = "more than the last bucket tells"
    return Reading(
        quantile(contrast.canary, P99), quantile(contrast.stable, P99), total(contrast.canary), total(contrast.stable),
        note=note,
    )  # fmt: skip


def _psi(contrast: Contrast) -> Reading:
    ours, theirs = total(contrast.canary), total(contrast.stable)
    if ours <= 0 or theirs <= 0:
        return Reading(math.nan, math.nan, ours, theirs)
    distance = _score_distance(contrast, _SURE)
    return Reading(distance.value, math.nan, ours, theirs, distance.p_value)


def _score_distance(contrast: Contrast, error: float) -> Distance:
    canary, stable = bins(contrast.canary), bins(contrast.stable)
    return psi([(canary[le], stable.get(le, 0.0)) for le in canary], error=error)


def _agreement(contrast: Contrast) -> Reading:
    if contrast.paired:
        differed = share(contrast.canary)
        return Reading(1 - differed.estimate if differed.of else math.nan, math.nan, differed.of, differed.of)
    ours, theirs = sum(contrast.canary.values()), sum(contrast.stable.values())
    if ours <= 0 or theirs <= 0:
        return Reading(math.nan, math.nan, ours, theirs)
    distance = _label_distance(contrast, _SURE)
    return Reading(1 - distance.value, math.nan, ours, theirs, distance.p_value)


def _label_distance(contrast: Contrast, error: float) -> Distance:
    labels = {*contrast.canary, *contrast.stable}
    return total_variation(
        {label: (contrast.canary.get(label, 0.0), contrast.stable.get(label, 0.0)) for label in sorted(labels)},
        error=error,
    )


# ---------------------------------------------------------------------------------------------- as evidence adds up

Test = Callable[[Contrast, Bound, float, int], Finding]


def _shares(contrast: Contrast, bound: Bound, error: float, looks: int) -> Finding:
    del looks  # the bounds hold at every look
    if bound.ratio is None:
        return compare(share(contrast.canary), Share(0, 0), ratio=0.0, plus=min(bound.high, 1.0), error=error)
    canary, stable = share(contrast.canary, comparing=True), share(contrast.stable, comparing=True)
    found = compare(canary, stable, ratio=bound.ratio, plus=bound.plus, error=error)
    if math.isinf(bound.high):
        return found
    return _either(found, compare(canary, stable, ratio=0.0, plus=bound.high, error=error))


def _either(left: Finding, right: Finding) -> Finding:
    if "Above" in {left, right}:
        return "Above"
    return "Within" if left == right == "Within" else "Open"


def _slow(contrast: Contrast, bound: Bound, error: float, looks: int) -> Finding:
    """Asks whether more than 1 % of canary's answers are slower than what the bound makes of stable's p99."""
    del looks
    ours, low, high = contrast.canary, bound.high, bound.high
    if bound.ratio is not None:
        error /= 2
        theirs_low, theirs_high = _p99_bounds(contrast.stable, error=error)
        low, high = min(low, theirs_low * bound.ratio), min(high, theirs_high * bound.ratio)
    if surely_above(Share(count_above(ours, high), total(ours)), _TAIL, error=error):
        return "Above"
    return "Within" if surely_below(Share(count_above(ours, low), total(ours)), _TAIL, error=error) else "Open"


def _p99_bounds(histogram: Counts, *, error: float) -> tuple[float, float]:
    """Gives the values above which surely more, and surely less, than 1 % lies; 0 and infinity while nobody knows."""
    observations = total(histogram)
    low, high = 0.0, math.inf
    most = _last(lambda hits: surely_below(Share(hits, observations), _TAIL, error=error), observations * _TAIL)
    if most is not None:
        high = quantile(histogram, 1 - most / observations)
    fewest = _last(
        lambda misses: surely_above(Share(observations - misses, observations), _TAIL, error=error),
        observations * P99,
    )
    if fewest is not None:
        low = quantile(histogram, fewest / observations)
    return low, high


def _last(holds: Callable[[float], bool], end: float) -> float | None:
    """Gives the largest number up to `end` for which it still holds, where it holds from 0 on."""
    if end <= 0 or not holds(0.0):
        return None
    low, high = 0.0, end
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _distances(measure: Callable[[Contrast, float], Distance]) -> Callable[[Contrast, float, float, int], Finding]:
    def test(contrast: Contrast, most: float, error: float, looks: int) -> Finding:
        distance = measure(contrast, error / looks)  # no bound holds at every look here: each look has its part
        if distance.low > most and distance.p_value < error / looks:
            return "Above"
        return "Within" if distance.high < most else "Open"

    return test


def _psi_test(contrast: Contrast, bound: Bound, error: float, looks: int) -> Finding:
    return _distances(_score_distance)(contrast, bound.high, error, looks)


def _label_test(contrast: Contrast, bound: Bound, error: float, looks: int) -> Finding:
    if contrast.paired:
        return compare(share(contrast.canary), Share(0, 0), ratio=0.0, plus=1 - bound.low, error=error)
    return _distances(_label_distance)(contrast, 1 - bound.low, error, looks)


_TESTS: Mapping[Builtin, Test] = {
    "error-rate": _shares,
    "uncertain-share": _shares,
    "flagged-share": _shares,
    "latency-p99": _slow,
    "score-psi": _psi_test,
    "label-agreement": _label_test,
}


def is_counted(builtin: Builtin) -> bool:
    """Tells whether a built-in is counted by the pods over a time; the others are read off at once."""
    return builtin in _TESTS


def has_test(builtin: Builtin, bound: Bound | None) -> bool:
    """Tells whether the evidence of a built-in can be tested as it adds up: against a bound from above."""
    if bound is None or builtin not in _TESTS:
        return False
    if builtin == "label-agreement":
        return math.isinf(bound.high)
    return math.isinf(bound.low) and (builtin != "score-psi" or bound.ratio is None)


def test(builtin: Builtin, contrast: Contrast, *, bound: Bound, error: float, looks: int) -> Finding:
    """Tells whether canary is surely beyond its bound, surely within, or neither yet; wrong in `error` of the cases."""
    return _TESTS[builtin](contrast, bound, error, looks)
