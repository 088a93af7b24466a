"""Measurements of a plan: what has to be true before a decision, and whether the whole was right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sentinel_operator.api.actionplan import PlanMetric
from sentinel_operator.api.analysis import AnalysisSpec, AnalysisStatus, MetricCheck
from sentinel_operator.core.actionplan.observed import MEASURED, Observed
from sentinel_operator.core.analysis.progress import advance, due, resume
from sentinel_operator.core.analysis.subject import Subject
from sentinel_operator.core.plan import Measuring

ASK_AGAIN = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """Where the measurements stand."""

    status: AnalysisStatus
    measuring: Measuring
    again: float | None


def examine(observed: Observed, metrics: Sequence[PlanMetric], *, key: str) -> Examined:
    """Goes on with the run that has the key, or begins it."""
    spec = AnalysisSpec(metrics=[check_of(each) for each in metrics])
    run = resume(spec, observed.status.analysis, key=key, now=observed.now)
    run = advance(spec, run, observed.measured, observed.now)
    coming = due(spec, run, observed.now)
    again = [(coming.again - observed.now).total_seconds()] if coming.again is not None else []
    again += [ASK_AGAIN] if coming.tasks else []
    return Examined(status=run, measuring=Measuring(subject_of(observed), coming.tasks), again=min(again, default=None))


def check_of(metric: PlanMetric) -> MetricCheck:
    """Gives a plan's metric as the analysis knows it."""
    return MetricCheck.model_validate(metric.model_dump(by_alias=True, exclude_none=True))


def subject_of(observed: Observed) -> Subject:
    """Says what is measured: the plan's first target, under the plan's own identity."""
    first = observed.key(observed.plan.decisions[0])
    return Subject(uid=observed.uid, namespace=first.namespace, name=first.name, canary=MEASURED, stable="")
