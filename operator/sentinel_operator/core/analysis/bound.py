"""What counts as good of a metric: its own bound, a condition, or the sensible bound of a built-in; and in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from sentinel_operator.api.analysis import Builtin, MetricCheck
from sentinel_operator.core.analysis.condition import BASELINE, Condition, ConditionError, condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """Good is from `low` to the smaller of `high` and `ratio` × baseline + `plus`."""

    low: float = -math.inf
    high: float = math.inf
    ratio: float | None = None
    plus: float = 0.0

    @property
    def needs_baseline(self) -> bool:
        """Tells whether it can be judged without the stable revision's value."""
        return self.ratio is not None

    def upper(self, baseline: float) -> float:
        """Gives the largest good value."""
        return self.high if self.ratio is None else min(self.high, self.ratio * baseline + self.plus)

    def words(self, value: float, baseline: float) -> str:
        """Says which side of which bound the value is on."""
        if value < self.low:
            return f"below {number(self.low)}"
        upper = self.upper(baseline)
        side = "above" if value > upper else "within"
        if math.isinf(upper):
            return f"not below {number(self.low)}"
        if self.ratio is None or upper == self.high:
            return f"{side} {number(upper)}"
        if self.plus:
            return f"{side} stable's + {number(self.plus)}"
        return f"{side} {number(self.ratio)}×"


DEFAULTS: Mapping[Builtin, Bound] = {
    "error-rate": Bound(ratio=1.0, plus=0.01),
    "latency-p99": Bound(ratio=1.5),
    "label-agreement": Bound(low=0.9),
    "score-psi": Bound(high=0.25),
    "uncertain-share": Bound(ratio=1.0, plus=0.1),
    "flagged-share": Bound(ratio=1.0, plus=0.05),
    "gpu-health": Bound(low=1.0),
    "health-score": Bound(low=0.8),
}
JOB = Bound(low=1.0)


def bound_of(check: MetricCheck) -> Bound | None:
    """Gives the bound of a metric; None where conditions decide instead."""
    if check.success_condition is not None or check.failure_condition is not None:
        return None
    if check.max is None and check.min is None and check.max_ratio is None:
        return DEFAULTS[check.builtin] if check.builtin else JOB
    return Bound(
        low=-math.inf if check.min is None else check.min,
        high=math.inf if check.max is None else check.max,
        ratio=check.max_ratio,
    )


def uses_baseline(check: MetricCheck) -> bool:
    """Tells whether stable's value decides."""
    bound = bound_of(check)
    if bound is not None:
        return bound.needs_baseline
    reads = (_read(text) for text in (check.success_condition, check.failure_condition) if text is not None)
    return any(read is not None and BASELINE in read.names for read in reads)


def _read(text: str) -> Condition | None:
    """Reads a condition; None for one that check.problems() would have named."""
    try:
        return condition(text)
    except ConditionError:
        return None


@dataclass(frozen=True, slots=True)
class Judged:
    """Whether a value is good: None where nobody can say, and why."""

    good: bool | None
    words: str


def judge(check: MetricCheck, *, value: float, baseline: float) -> Judged:
    """Judges a number by itself. Never raises for a condition that the admission let through."""
    bound = bound_of(check)
    if bound is None:
        return _by_conditions(check, value=value, baseline=baseline)
    if not math.isfinite(value) or (bound.needs_baseline and not math.isfinite(baseline)):
        return Judged(None, "no number to judge by")
    return Judged(bound.low <= value <= bound.upper(baseline), bound.words(value, baseline))


def _by_conditions(check: MetricCheck, *, value: float, baseline: float) -> Judged:
    success = _holds(check.success_condition, value=value, baseline=baseline)
    failure = _holds(check.failure_condition, value=value, baseline=baseline)
    if (check.success_condition and success is None) or (check.failure_condition and failure is None):
        return Judged(None, "the condition has no answer to it")
    if check.failure_condition and failure:
        return Judged(good=False, words=f"failureCondition {check.failure_condition!r} holds")
    if check.success_condition and success:
        return Judged(good=True, words=f"successCondition {check.success_condition!r} holds")
    if check.success_condition and check.failure_condition:
        return Judged(None, "neither successCondition nor failureCondition holds")
    if check.success_condition:
        return Judged(good=False, words=f"successCondition {check.success_condition!r} does not hold")
    return Judged(good=True, words=f"failureCondition {check.failure_condition!r} does not hold")


def _holds(text: str | None, *, value: float, baseline: float) -> bool | None:
    if text is None:
        return None
    read = _read(text)
    if read is None:
        return None
    asks = bool(read.names & {"isNaN", "isInf"})
    if not asks and not (math.isfinite(value) and (math.isfinite(baseline) or BASELINE not in read.names)):
        return None  # what no number is, compares false with everything: that would be a verdict without a reason
    return read.holds(result=value, baseline=baseline)


def number(value: float, unit: str = "") -> str:
    """Writes a number as people read it."""
    if math.isnan(value):
        return "no number"
    text = f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    if "e" in text and 1e-6 <= abs(value) < 1:
        text = f"{value:.9f}".rstrip("0")
    return f"{text} {unit}".rstrip()
