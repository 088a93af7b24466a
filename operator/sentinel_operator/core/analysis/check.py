"""What is wrong with an analysis beyond what its schema can say: conditions and paths that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator

from sentinel_operator.api.analysis import WITHOUT_BASELINE, AnalysisSpec, MetricCheck
from sentinel_operator.core.analysis.condition import BASELINE, ConditionError, condition
from sentinel_operator.core.analysis.jobrules import job_problems
from sentinel_operator.core.analysis.jsonpath import PathError, check_path


def problems(spec: AnalysisSpec) -> tuple[tuple[str, str], ...]:
    """Gives each fault as a field, relative to the analysis, and a message. Whoever has none never raises later."""
    return tuple(
        (f"metrics[{index}].{field}", message)
        for index, check in enumerate(spec.metrics or ())
        for field, message in _of_metric(check)
    )


def _of_metric(check: MetricCheck) -> Iterator[tuple[str, str]]:
    for field, text in (("successCondition", check.success_condition), ("failureCondition", check.failure_condition)):
        if text is None:
            continue
        try:
            read = condition(text)
        except ConditionError as error:
            yield field, str(error)
            continue
        if BASELINE in read.names and not _gives_baseline(check):
            yield field, "uses baseline, which this metric does not have"
    if check.web is not None:
        try:
            check_path(check.web.json_path)
        except PathError as error:
            yield "web.jsonPath", str(error)
    if check.job is not None:
        yield from job_problems(check.job)


def _gives_baseline(check: MetricCheck) -> bool:
    if check.builtin is not None:
        return check.builtin not in WITHOUT_BASELINE
    return check.prometheus is not None and check.prometheus.baseline_query is not None
