"""What became different in this pass: the decision that the status keeps, and the events that tell it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sentinel_operator.api.conditions import READY, Condition, Decision
from sentinel_operator.api.scanstatus import ScanJobStatus
from sentinel_operator.core.conditions import rfc3339, truncated
from sentinel_operator.core.plan import Event
from sentinel_operator.core.scanjob.assess import FINISHED, Assessment
from sentinel_operator.core.scanjob.observe import Observed
from sentinel_operator.core.scanjob.status import SCANNED
from sentinel_operator.core.scanjob.summary import SUSPENDED, Summary, work

_INPUT_LIMIT = 256
_QUIET = frozenset({"Planning", "Scanning", "Reporting", "Queued", SUSPENDED, FINISHED})
"""Reasons that are no failure."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that a pass decided: by which rule, from what, and with what result."""

    rule: str
    inputs: Mapping[str, str]
    result: str
    warning: bool = False


def changes(observed: Observed, assessment: Assessment, summary: Summary) -> tuple[Change, ...]:
    """Gives what this pass decides, in the order in which it happens."""
    return tuple(_changes(observed, assessment, summary))


def last_decision(observed: Observed, made: tuple[Change, ...]) -> Decision | None:
    """Gives the last thing that was decided, in this pass or before."""
    if not made:
        return observed.status.last_decision if observed.status is not None else None
    change = made[-1]
    return Decision(
        at=rfc3339(observed.now),
        rule=change.rule,
        inputs={key: truncated(value, _INPUT_LIMIT) for key, value in sorted(change.inputs.items())},
        result=truncated(change.result),
    )


def events(before: ScanJobStatus | None, after: ScanJobStatus, made: tuple[Change, ...] = ()) -> tuple[Event, ...]:
    """Gives an event for each decision, and for each reason that a person should know of."""
    told = {change.rule for change in made}
    return (
        *(Event("Warning" if change.warning else "Normal", change.rule, change.result) for change in made),
        *(event for event in _troubles(before, after) if event.reason not in told),
    )


def _changes(observed: Observed, assessment: Assessment, summary: Summary) -> Iterator[Change]:
    before, plan, end = observed.status or ScanJobStatus(), assessment.plan, assessment.end
    if plan is not None and plan.shards and (before.shards is None or not before.shards.total):
        inputs = {"objects": str(plan.objects), "bytes": str(plan.bytes), "shards": str(plan.shards)}
        yield Change("Planned", inputs, f"{plan.objects} objects of {plan.bytes} bytes in {plan.shards} shards")
    if assessment.step == "report" and end is None and not _has(before, SCANNED):
        yield Change("Scanned", {"shards": str(plan.shards if plan else 0)}, "every shard is scanned; now the report")
    if summary.reason == SUSPENDED and before.phase != "Suspended":
        yield Change(SUSPENDED, {"step": assessment.step}, summary.message)
    if before.phase == "Suspended" and summary.reason != SUSPENDED and end is None:
        yield Change("Resumed", {"step": assessment.step}, f"goes on: {work(observed, assessment)}")
    if assessment.again is not None:
        yield Change("MadeAgain", {"step": assessment.again}, f"Job of the step {assessment.again}: {assessment.waits}")
    if end is not None:
        inputs = {"step": assessment.step, "verdict": end.verdict}
        if end.report is not None:
            counts = end.report.counts.model_dump()
            inputs |= {name: str(value) for name, value in counts.items()}
        yield Change(end.reason, inputs, f"{end.verdict}: {end.message}", warning=not end.ready)


def _troubles(before: ScanJobStatus | None, after: ScanJobStatus) -> Iterator[Event]:
    ready, was = _ready(after), _ready(before) if before is not None else None
    if ready is not None and ready.reason not in _QUIET and (was is None or was.reason != ready.reason):
        yield Event("Warning", ready.reason, ready.message)


def _has(status: ScanJobStatus, type_: str) -> bool:
    return any(each.type == type_ and each.status == "True" for each in status.conditions or ())


def _ready(status: ScanJobStatus) -> Condition | None:
    return next((each for each in status.conditions or () if each.type == READY), None)
