"""What became different in this pass: the decision that the status keeps, and the events that tell it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sentinel_operator.api.conditions import READY, Decision
from sentinel_operator.api.sentrymodel import SentryModelStatus
from sentinel_operator.core.conditions import rfc3339, truncated
from sentinel_operator.core.plan import Event
from sentinel_operator.core.rollout.decide import NEW_REVISION
from sentinel_operator.core.sentrymodel.assess import Assessment
from sentinel_operator.core.sentrymodel.observe import Observed
from sentinel_operator.core.sentrymodel.summary import QUIET
from sentinel_operator.core.sentrymodel.verification import MODEL_VERIFIED

_INPUT_LIMIT = 256


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that a pass decided: by which rule, from what, and with what result."""

    rule: str
    inputs: Mapping[str, str]
    result: str
    warning: bool = False


def changes(observed: Observed, assessment: Assessment, scaled: Mapping[str, tuple[int, int]]) -> tuple[Change, ...]:
    """Gives what this pass decides, in the order in which it happens; `scaled` holds each revision's replicas before
    and after."""
    return tuple(change for change in _changes(observed, assessment, scaled) if not _is_last(change, observed.status))


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


def events(before: SentryModelStatus | None, after: SentryModelStatus, made: tuple[Change, ...]) -> tuple[Event, ...]:
    """Gives an event for each decision, and for each condition that became something that a person should know."""
    return (
        *(Event("Warning" if change.warning else "Normal", change.rule, change.result) for change in made),
        *_verified(before, after),
        *(event for event in _failed(before, after) if event.reason not in {change.rule for change in made}),
    )


def _changes(observed: Observed, assessment: Assessment, scaled: Mapping[str, tuple[int, int]]) -> Iterator[Change]:
    if assessment.spec.suspend:
        return
    made = [Change(each.rule, each.inputs, each.result, each.warning) for each in assessment.decision.transitions]
    yield from (change for change in made if change.rule == NEW_REVISION)
    if scaled:
        yield _scaling(observed, assessment, scaled)
    yield from (change for change in made if change.rule != NEW_REVISION)


def _is_last(change: Change, status: SentryModelStatus | None) -> bool:
    """A pass on an older view of the cluster decides the same once more: that is no news."""
    last = status.last_decision if status is not None else None
    return last is not None and (last.rule, last.result) == (change.rule, truncated(change.result))


def _scaling(observed: Observed, assessment: Assessment, scaled: Mapping[str, tuple[int, int]]) -> Change:
    up = any(after > before for before, after in scaled.values())
    inputs = {"wanted": str(assessment.wanted)}
    for revision in sorted({*observed.deployments, *scaled}):
        if len(inputs) < 30:
            inputs[f"ready.{revision}"] = str(observed.ready(revision))
    if assessment.candidate:
        inputs["step"] = str(assessment.decision.state.step)
    steps = ", ".join(f"{revision} {before}→{after}" for revision, (before, after) in sorted(scaled.items()))
    return Change("ScalingUp" if up else "ScalingDown", inputs, f"pods of revision {steps}")


def _verified(before: SentryModelStatus | None, after: SentryModelStatus) -> Iterator[Event]:
    told = next((each for each in after.conditions or () if each.type == MODEL_VERIFIED), None)
    if told is None or told.status != "True":
        return
    known = before.verification if before is not None else None
    was = next((each for each in (before.conditions or ()) if each.type == MODEL_VERIFIED), None) if before else None
    digest = after.verification.digest if after.verification is not None else ""
    if was is None or was.status != "True" or (known is not None and digest and known.digest != digest):
        yield Event("Normal", MODEL_VERIFIED, told.message)


def _failed(before: SentryModelStatus | None, after: SentryModelStatus) -> Iterator[Event]:
    ready = next((each for each in after.conditions or () if each.type == READY), None)
    was = next((each for each in (before.conditions or ()) if each.type == READY), None) if before else None
    if ready is not None and ready.reason not in QUIET and (was is None or was.reason != ready.reason):
        yield Event("Warning", ready.reason, ready.message)
