"""An analysis from its beginning to its verdict: what is due, and what measurements make of it.

`Running` and `Error` go on (an Error ends with the first measurement that works); `Pass`, `Fail` and `Inconclusive`
are final. Everything is derived from the spec and the status, so that a restart of the operator loses nothing but the
interval that it fell into.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sentinel_operator.api.analysis import AnalysisSpec, AnalysisStatus, MetricCheck, MetricStatus, Verdict
from sentinel_operator.api.fields import seconds
from sentinel_operator.core.analysis.builtins import is_counted
from sentinel_operator.core.analysis.measurement import Measurement, moment, stamp
from sentinel_operator.core.analysis.state import FINAL, moved, settings, taken

DEFAULT: tuple[MetricCheck, ...] = (
    MetricCheck(name="error-rate", builtin="error-rate"),
    MetricCheck(name="latency-p99", builtin="latency-p99"),
    MetricCheck(name="health-score", builtin="health-score"),
)
Source = Literal["pods", "observed", "prometheus", "web", "job"]
_FIRST_RETRY = 5.0
_LONGEST_RETRY = 300.0
_MESSAGE = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One measurement that is due."""

    check: MetricCheck
    source: Source
    """Who takes it: engine/measure for pods, prometheus and web; the pass itself for observed and job."""
    started: datetime
    """When the analysis began: what was measured before belongs to another."""
    since: datetime | None
    """Counts begin at this look; None where there was none yet."""
    attempt: int
    """Which measurement of the metric it is, errors included: it names the Job."""


@dataclass(frozen=True, slots=True)
class Due:
    """What to measure now, and when to ask again. `again` is None when nothing is left to measure."""

    tasks: tuple[Task, ...]
    again: datetime | None


def metrics_of(spec: AnalysisSpec) -> tuple[MetricCheck, ...]:
    """Gives the metrics of an analysis, the default ones where it names none."""
    return DEFAULT if spec.metrics is None else tuple(spec.metrics)


def resume(spec: AnalysisSpec, state: AnalysisStatus | None, *, key: str, now: datetime) -> AnalysisStatus:
    """Goes on with the run that has the key, or begins it after the one that was."""
    return state if state is not None and state.key == key else begin(spec, now, key=key, before=state)


def begin(spec: AnalysisSpec, now: datetime, *, key: str = "", before: AnalysisStatus | None = None) -> AnalysisStatus:
    """Starts an analysis. `before` is that of the step before: what it measured of stable is compared with where
    stable has no traffic any more."""
    known = {} if before is None else _by_name(before)
    fresh = MetricStatus(name="fresh")
    return AnalysisStatus(
        key=key,
        started_at=stamp(now),
        message="nothing was measured yet",
        metrics=[
            MetricStatus(
                name=check.name,
                value=known.get(check.name, fresh).value,
                baseline=known.get(check.name, fresh).baseline,
            )
            for check in metrics_of(spec)
        ],
    )


def due(spec: AnalysisSpec, state: AnalysisStatus, now: datetime) -> Due:
    """Tells what is to be measured now. A measurement that is under way stays due until it is taken in."""
    known, tasks, later = _by_name(state), list[Task](), list[datetime]()
    started = moment(state.started_at) or now
    for check in metrics_of(spec):
        status = known.get(check.name, MetricStatus(name=check.name))
        if status.verdict in FINAL:
            continue
        at = _next(check, status, started=started)
        if at <= now:
            tasks.append(_task(check, status, started))
        else:
            later.append(at)
    return Due(tuple(tasks), min(later, default=None))


def _task(check: MetricCheck, status: MetricStatus, started: datetime) -> Task:
    since, attempt = moment(status.measured_at), taken(status) + status.errors
    return Task(check=check, source=source_of(check), started=started, since=since, attempt=attempt)


def source_of(check: MetricCheck) -> Source:
    """Tells where a metric comes from."""
    if check.builtin is not None:
        return "pods" if is_counted(check.builtin) else "observed"
    if check.prometheus is not None:
        return "prometheus"
    return "web" if check.web is not None else "job"


def _next(check: MetricCheck, status: MetricStatus, *, started: datetime) -> datetime:
    last = moment(status.measured_at)
    if last is None:
        return started + timedelta(seconds=seconds(check.initial_delay))
    wait = seconds(check.interval)
    if status.consecutive_errors:
        # Sooner than the interval at first, for most faults are short; later than it where they last.
        wait = min(max(wait, _LONGEST_RETRY), _FIRST_RETRY * 2.0 ** min(status.consecutive_errors - 1, 16))
    return last + timedelta(seconds=wait)


def _by_name(state: AnalysisStatus) -> dict[str, MetricStatus]:
    return {status.name: status for status in state.metrics or ()}


def advance(
    spec: AnalysisSpec, state: AnalysisStatus, measurements: Mapping[str, Measurement], now: datetime
) -> AnalysisStatus:
    """Takes in measurements by metric, each once however often it is handed in, and gives the verdict so far."""
    metrics, known, started = metrics_of(spec), _by_name(state), moment(state.started_at) or now
    setting = settings(spec, metrics)
    statuses = []
    for check in metrics:
        status = known.get(check.name, MetricStatus(name=check.name))
        found = measurements.get(check.name)
        is_ours = found is not None and found.at >= started
        statuses.append(moved(status, setting[check.name], found) if found and is_ours else status)
    verdict, message = _overall(metrics, statuses)
    return AnalysisStatus(
        key=state.key, started_at=stamp(started), verdict=verdict, message=message[:_MESSAGE], metrics=statuses
    )


def _overall(metrics: tuple[MetricCheck, ...], statuses: list[MetricStatus]) -> tuple[Verdict, str]:
    """A failure decides at once. Anything else waits for what still runs, for that may be a failure yet."""
    deciding = [status for check, status in zip(metrics, statuses, strict=True) if not check.dry_run]
    for verdict in ("Fail", "Error", "Running", "Inconclusive"):
        found = [status for status in deciding if status.verdict == verdict]
        if found:
            shown = [status.message for status in found if status.message]
            return verdict, "; ".join(shown) or "nothing was measured yet"
    return "Pass", "; ".join(status.message for status in deciding) or "every metric is a dry run"
