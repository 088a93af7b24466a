"""How one measurement moves one metric on. All that is remembered stands in its status."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime

from sentinel_operator.api.analysis import (
    WITHOUT_BASELINE,
    AnalysisSpec,
    MetricCheck,
    MetricStatus,
    borne_failures,
    borne_inconclusives,
    measurements,
)
from sentinel_operator.core.analysis.bound import bound_of, judge, uses_baseline
from sentinel_operator.core.analysis.builtins import Reading, added, chance_explains, has_test, is_counted, read, test
from sentinel_operator.core.analysis.contrast import Contrast, from_evidence, to_evidence
from sentinel_operator.core.analysis.measurement import Measurement, moment, stamp
from sentinel_operator.core.analysis.sequential import Finding
from sentinel_operator.core.analysis.words import compared, told

FINAL = frozenset({"Pass", "Fail", "Inconclusive"})
_MESSAGE = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What of the analysis matters to one metric."""

    check: MetricCheck
    min_samples: int
    error: float
    """The part of the false-abort rate that this metric may use; 0 where it is judged interval by interval."""


def settings(spec: AnalysisSpec, metrics: tuple[MetricCheck, ...]) -> dict[str, Setting]:
    """Gives each metric its part of the false-abort rate: all of them together stay below it."""
    tested = [check.name for check in metrics if spec.sequential and _is_tested(check)]
    return {
        check.name: Setting(
            check=check,
            min_samples=check.min_samples or spec.min_samples,
            error=spec.false_abort_rate / len(tested) if check.name in tested else 0.0,
        )
        for check in metrics
    }


def _is_tested(check: MetricCheck) -> bool:
    return check.builtin is not None and not check.dry_run and has_test(check.builtin, bound_of(check))


def taken(status: MetricStatus) -> int:
    """Gives how many measurements count."""
    return status.successes + status.failures + status.inconclusives


def moved(status: MetricStatus, setting: Setting, found: Measurement) -> MetricStatus:
    """Takes in a measurement; one that was taken in before changes nothing."""
    last = moment(status.measured_at)
    if status.verdict in FINAL or (last is not None and found.at <= last):
        return status
    if found.error:
        return _erred(status, setting.check, found)
    status = status.model_copy(update={"consecutive_errors": 0, "verdict": "Running"})
    if found.opened:
        return _noted(status, found.at, message="counting began")
    if found.contrast is not None and setting.check.builtin and is_counted(setting.check.builtin):
        builtin, earlier = setting.check.builtin, from_evidence(status.evidence)
        contrast = added(builtin, earlier, found.contrast)
        return _counted(
            status,
            setting,
            found,
            reading=read(builtin, contrast, comparing=uses_baseline(setting.check)),
            contrast=contrast,
        )
    return _judged(
        status, setting, found.at, value=_known(found.value), baseline=_known(found.baseline), note=found.note
    )


def _known(value: float | None) -> float:
    return math.nan if value is None else value


def _noted(status: MetricStatus, at: datetime, **changes: object) -> MetricStatus:
    message = str(changes.pop("message", status.message))[:_MESSAGE]
    return status.model_copy(update={"measured_at": stamp(at), "message": message, **changes})


def _erred(status: MetricStatus, check: MetricCheck, found: Measurement) -> MetricStatus:
    in_a_row = status.consecutive_errors + 1
    verdict = "Error" if in_a_row > check.consecutive_error_limit else "Running"
    return _noted(
        status, found.at, message=f"{check.name} cannot be measured, {in_a_row} times in a row: {found.error}",
        verdict=verdict, errors=status.errors + 1, consecutive_errors=in_a_row,
    )  # fmt: skip


# ---------------------------------------------------------------------------------------------- counts of built-ins


def _counted(
    status: MetricStatus, setting: Setting, found: Measurement, *, reading: Reading, contrast: Contrast
) -> MetricStatus:
    check, at = setting.check, found.at
    reading = replace(reading, note="; ".join(filter(None, (reading.note, found.note))))
    reading, is_fresh = _beside_stable(status, setting, reading)
    if _samples(check, reading) < setting.min_samples:
        words = f"{reading.canary_samples:.0f} samples against {reading.stable_samples:.0f} of stable"
        message = f"{check.name}: {words}, {setting.min_samples} needed"
        kept = status.model_copy(update={"evidence": to_evidence(contrast)})
        return _tallied(kept, setting, at, good=None, message=message, reading=reading)
    bound, builtin = bound_of(check), check.builtin
    if setting.error and is_fresh and bound is not None and builtin is not None:
        finding = test(builtin, contrast, bound=bound, error=setting.error, looks=most_looks(check))
        kept = status.model_copy(update={"evidence": to_evidence(contrast)})
        return _tested(kept, setting, at, finding=finding, reading=reading)
    judged = judge(check, value=reading.value, baseline=reading.baseline)
    good, words = judged.good, judged.words
    if good is False and builtin and bound and chance_explains(builtin, contrast, reading, bound):
        good, words = None, f"{words}, which chance may explain"
    # What decides nothing yet is counted on, so that sparse traffic is judged later rather than never.
    kept = status.model_copy(update={"evidence": to_evidence(contrast) if good is None else None})
    return _tallied(kept, setting, at, good=good, message=compared(check, reading, words), reading=reading)


def _samples(check: MetricCheck, reading: Reading) -> float:
    return reading.fewest if _needs_stable(check) else reading.canary_samples


def _needs_stable(check: MetricCheck) -> bool:
    return check.builtin in WITHOUT_BASELINE or uses_baseline(check)


def _beside_stable(status: MetricStatus, setting: Setting, reading: Reading) -> tuple[Reading, bool]:
    """Where the new revision has all the traffic, puts what was last measured of stable beside it (the step before
    did); tells whether stable was measured now. A distance between the two is then as it was last."""
    enough, check = setting.min_samples, setting.check
    if not _needs_stable(check) or reading.stable_samples >= enough or reading.canary_samples < enough:
        return reading, True
    is_distance = check.builtin in WITHOUT_BASELINE
    remembered = status.value if is_distance else status.baseline
    if remembered is None:
        return reading, True
    note = "; ".join(filter(None, (reading.note, "stable as last measured")))
    known = replace(reading, note=note, stable_samples=reading.canary_samples)
    return (replace(known, value=remembered) if is_distance else replace(known, baseline=remembered)), False


def most_looks(check: MetricCheck) -> int:
    """Gives after how many looks a sequential test ends at the latest."""
    return measurements(check) + borne_inconclusives(check)


def _tested(
    status: MetricStatus, setting: Setting, at: datetime, *, finding: Finding, reading: Reading
) -> MetricStatus:
    """Ends as soon as the evidence is sure. After `count` looks, what is good but unsure passes; what is bad but unsure
    is counted on for as many looks as may be inconclusive."""
    check, looks, number = setting.check, measurements(setting.check), taken(status) + 1
    judged = judge(check, value=reading.value, baseline=reading.baseline)
    good: bool | None = judged.good or None
    verdict, words = "Running", judged.words
    if finding == "Above":
        good, verdict, words = False, "Fail", f"{words}, surely"
    elif finding == "Within":
        good, verdict, words = True, "Pass", f"{words}, surely"
    elif good and number >= looks:
        verdict = "Pass"
    elif number >= most_looks(check):
        verdict, words = "Inconclusive", f"{words}, but not surely"
    message = f"{compared(check, reading, words)}, look {number} of {looks}"
    return _shown(_count(status, good), at, reading, message=message, verdict=verdict)


# ---------------------------------------------------------------------------------------------- single numbers


def _judged(
    status: MetricStatus, setting: Setting, at: datetime, *, value: float, baseline: float, note: str
) -> MetricStatus:
    judged = judge(setting.check, value=value, baseline=baseline)
    return _tallied(
        status, setting, at, good=judged.good, message=told(setting.check, value, baseline, judged.words, note),
        reading=Reading(value, baseline, 0, 0),
    )  # fmt: skip


def _tallied(
    status: MetricStatus, setting: Setting, at: datetime, *, good: bool | None, message: str, reading: Reading
) -> MetricStatus:
    """Counts a measurement that is judged by itself, and looks whether the limits are reached."""
    check = setting.check
    adds_up = check.builtin is not None and is_counted(check.builtin)
    if adds_up and good is not None:
        status = status.model_copy(update={"inconclusives": 0})  # they were counted on, and are judged now
    status = _count(status, good)
    number, wanted = taken(status), measurements(check)
    of = {True: status.successes, False: status.failures, None: status.inconclusives}[good]
    message, verdict = f"{message}, {of} of {number}", "Running"
    if status.failures > borne_failures(check):
        verdict = "Fail"
    elif status.inconclusives > (most_looks(check) - 1 if setting.error else borne_inconclusives(check)):
        verdict = "Inconclusive"
    elif number >= wanted and not (adds_up and good is None):
        verdict = "Pass" if status.successes else "Inconclusive"
    return _shown(status, at, reading, message=message, verdict=verdict)


def _count(status: MetricStatus, good: bool | None) -> MetricStatus:
    name = {True: "successes", False: "failures", None: "inconclusives"}[good]
    return status.model_copy(update={name: getattr(status, name) + 1})


def _shown(status: MetricStatus, at: datetime, reading: Reading, *, message: str, verdict: str) -> MetricStatus:
    value, baseline = _finite(reading.value), _finite(reading.baseline)
    changes: dict[str, object] = {
        "value": status.value if value is None else value,
        "baseline": status.baseline if baseline is None else baseline,
    }
    if verdict in FINAL:
        changes["evidence"] = None
    return _noted(status, at, message=message, verdict=verdict, **changes)


def _finite(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None
