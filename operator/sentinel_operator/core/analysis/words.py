"""Measurements as people read them: the numbers, beside what they were compared with."""

from __future__ import annotations

import math

from sentinel_operator.api.analysis import MetricCheck
from sentinel_operator.core.analysis.bound import number
from sentinel_operator.core.analysis.builtins import Reading

_UNITS = {"latency-p99": "s"}
_SHARES = frozenset({"error-rate", "uncertain-share", "flagged-share"})


def compared(check: MetricCheck, reading: Reading, words: str) -> str:
    """Says what was counted of both revisions."""
    note = ", ".join(filter(None, (reading.note, f"{reading.canary_samples:.0f} samples")))
    return told(check, reading.value, reading.baseline, words, note)


def told(check: MetricCheck, value: float, baseline: float, words: str, note: str) -> str:
    """Says a value and why it is good or not: `latency-p99 0.021 s against 0.012 s of stable: above 1.5×`."""
    against = "" if math.isnan(baseline) else f" against {_written(check, baseline)} of stable"
    aside = f" ({note})" if note else ""
    return f"{check.name} {_written(check, value)}{against}{aside}: {words}"


def _written(check: MetricCheck, value: float) -> str:
    if check.builtin in _SHARES and not math.isnan(value):
        return f"{number(value * 100)} %"
    return number(value, _UNITS.get(check.builtin or "", ""))
