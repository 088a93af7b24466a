"""A rollout as a picture: its steps and the one under way, requests, pods, what was measured, what comes next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.text import Text

from sentinel_operator.api.analysis import AnalysisStatus, MetricStatus
from sentinel_operator.api.fields import seconds
from sentinel_operator.cli.ages import age, span
from sentinel_operator.cli.delivery import Delivery
from sentinel_operator.cli.grid import Cell, clean, grid, short, styled
from sentinel_operator.cli.standing import wanted
from sentinel_operator.core.conditions import parse_time
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.rollout.forecast import Forecast, ForecastStep, forecast
from sentinel_operator.core.rollout.instructions import Ask, Hold, Judge, Settle, SetWeight, told

DONE, NOW, LATER = "✓", "▸", " "
STYLES = {"Pass": "green", "Fail": "red", "Inconclusive": "yellow", "Error": "yellow", "Running": ""}


def progress_lines(raw: Manifest, *, now: datetime) -> list[Text]:
    """Gives the picture of the rollout that runs; without one, why there is none, unless all is as declared."""
    delivery = Delivery(raw)
    progress = delivery.progress
    if not delivery.candidate:
        quiet = progress.phase == "Stable" or not progress.message
        if quiet:
            return []
        failed = progress.analysis if progress.phase == "Stalled" else None
        return [Text(f"  {progress.phase}: {short(clean(progress.message))}"), *_analysis(failed)]
    expected = expectation(delivery)
    return [
        Text(f"  {_title(delivery, now)}"),
        *grid(list(_steps(delivery, expected, now)), indent=2),
        Text(),
        *grid(list(_facts(delivery, expected, now)), indent=2),
        *_analysis(progress.analysis if isinstance(delivery.step, Judge) else None),
    ]


def expectation(delivery: Delivery) -> Forecast | None:
    """Gives what the steps are expected to do, where they are understood and those that run."""
    spec, program, strategy = delivery.rollout, delivery.program, delivery.progress.strategy
    if spec is None or program is None or delivery.progress.fast:
        return None
    declared = delivery.raw["spec"]
    found = forecast(
        spec if strategy == "Initial" else spec.model_copy(update={"strategy": strategy}),
        wanted=delivery.count,
        first=strategy == "Initial",
        provider=(declared.get("routing") or {}).get("provider", "Service"),
    )
    return found if len(found.steps) == len(program.steps) else None


def _title(delivery: Delivery, now: datetime) -> str:
    progress = delivery.progress
    what = "First delivery" if progress.strategy == "Initial" else progress.strategy
    fast = ", steps skipped" if progress.fast else ""
    since = f", for {age(progress.started_at, now)}" if progress.started_at else ""
    return clean(f"{what} of {delivery.named(delivery.candidate)}, attempt {progress.attempt}{fast}{since}")


def _steps(delivery: Delivery, expected: Forecast | None, now: datetime) -> Iterator[Sequence[Cell]]:
    program, at = delivery.program, delivery.progress.step
    for index, step in enumerate(program.steps if program else ()):
        mark, style = (DONE, "green") if index < at else (NOW, "bold") if index == at else (LATER, "dim")
        pods, lasts = "", ""
        if expected is not None:
            foreseen = expected.steps[index]
            rounded = isinstance(step, SetWeight) and foreseen.weight != step.weight
            pods = _pods(foreseen, within=delivery.progress.strategy == "HotSwap")
            pods = f"{pods}: {foreseen.weight}%" if rounded else pods
            lasts = f"about {span(foreseen.seconds)}" if foreseen.seconds else ""
        if index == at:
            lasts = f"for {age(delivery.progress.step_started_at, now)}" + (f" of {lasts}" if lasts else "")
        yield styled(mark, style), styled(index, style), styled(told(step), style), pods, lasts if index >= at else ""


def _pods(foreseen: ForecastStep, *, within: bool) -> str:
    if within and not foreseen.candidate_pods:
        return f"within {foreseen.stable_pods} pods"
    return f"{foreseen.candidate_pods} beside {foreseen.stable_pods} pods"


def _facts(delivery: Delivery, expected: Forecast | None, now: datetime) -> Iterator[Sequence[Cell]]:
    progress, status = delivery.progress, delivery.status
    yield "requests", f"{progress.weight_wanted} % wanted, {progress.weight} % observed"
    at = progress.step
    asked = expected.steps[at].candidate_pods if expected is not None and at < len(expected.steps) else None
    for title, side, of in (("stable", status.stable, wanted(delivery.raw)), ("coming", status.canary, asked)):
        if side is not None:
            ready = f"{side.ready_replicas} of {of} pods ready" if of is not None else f"{side.ready_replicas} ready"
            yield title, f"{delivery.named(side.revision)}: {ready}, {side.weight} % of the requests"
    coming = progress.next or "promotion"
    yield "next", f"{coming}, {_when(delivery, expected, now)}"
    if (end := _end(delivery, expected, now)) and coming != "promotion":
        yield "promoted", end


def _when(delivery: Delivery, expected: Forecast | None, now: datetime) -> str:
    progress, step, name = delivery.progress, delivery.step, delivery.raw["metadata"]["name"]
    if delivery.said.get("paused") == delivery.candidate:
        return f"when resumed (kubectl sentinel resume {name})"
    if progress.phase == "Stalled":
        return "when what is in the way has gone"
    if progress.phase == "Paused":
        return f"when promoted (kubectl sentinel promote {name})"
    if isinstance(step, Ask):
        left = _left(delivery, seconds(step.gate.timeout), now)
        return f"when the gate opens; it is asked for {span(left)} more"
    if isinstance(step, Hold | Settle | Judge) and expected is not None:
        left = _left(delivery, expected.steps[progress.step].seconds or 0.0, now)
        early = "when the analysis passes, " if isinstance(step, Judge) else ""
        return f"{early}in about {span(left)}" if left > 0 else f"{early or 'when that is '}due now"
    return "when its pods are ready and get their requests"


def _left(delivery: Delivery, lasts: float, now: datetime) -> float:
    began = parse_time(delivery.progress.step_started_at)
    return max(0.0, lasts - (now - began).total_seconds()) if began is not None else lasts


def _end(delivery: Delivery, expected: Forecast | None, now: datetime) -> str:
    if expected is None:
        return ""
    at = delivery.progress.step
    later = expected.steps[at + 1 :]
    current = expected.steps[at].seconds if at < len(expected.steps) else 0.0
    left = sum(each.seconds or 0.0 for each in later) + (_left(delivery, current, now) if current else 0.0)
    waits = sum(each.seconds is None for each in later) + (current is None)
    if not waits:
        return f"in about {span(left)}"
    steps = "1 step that waits" if waits == 1 else f"{waits} steps that wait"
    return f"after about {span(left)} and {steps} for a person or a gate"


def _analysis(found: AnalysisStatus | None) -> list[Text]:
    if found is None or not found.metrics:
        return []
    rows: list[Sequence[Cell]] = [("metric", "verdict", "coming", "stable", "measurements", "")]
    rows += [_metric(each) for each in found.metrics]
    return [Text(), *grid(rows, indent=2)]


def _metric(metric: MetricStatus) -> Sequence[Cell]:
    counts = (
        (metric.successes, "good"),
        (metric.failures, "bad"),
        (metric.inconclusives, "unclear"),
        (metric.errors, "not measured"),
    )
    return (
        metric.name,
        styled(metric.verdict, STYLES.get(metric.verdict, "")),
        number(metric.value),
        number(metric.baseline),
        ", ".join(f"{count} {word}" for count, word in counts if count) or "none",
        short(metric.message),
    )


def number(value: float | None) -> str:
    """Writes a measurement with as many digits as tell something."""
    return "-" if value is None else f"{value:.4g}"
