"""The one sentence about a model: is it as declared, is it on its way, or does it need a person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from sentinel_operator.api.sentrymodel import Phase
from sentinel_operator.core.sentrymodel.assess import Assessment, known_as, record_of
from sentinel_operator.core.sentrymodel.faults import REFERENCE_NOT_FOUND
from sentinel_operator.core.sentrymodel.observe import Observed
from sentinel_operator.core.sentrymodel.remarks import remarks

INVALID_SPEC = "InvalidSpec"
SUSPENDED = "Suspended"
PROGRESSING = "Progressing"
SCALED_TO_ZERO = "ScaledToZero"
NAME_CONFLICT = "NameConflict"
READY_REASON = "Ready"
QUIET = frozenset({READY_REASON, PROGRESSING, SUSPENDED, SCALED_TO_ZERO})
"""Reasons that are no failure."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The condition Ready, and which of Reconciling and Stalled stands beside it."""

    reason: str
    message: str
    ready: bool = False
    reconciling: bool = False
    stalled: bool = False


Check = Callable[[Observed, Assessment], Summary | None]


def summarize(observed: Observed, assessment: Assessment) -> Summary:
    """Gives the first answer of the chain, whose order is that of what a person has to know first, with the remarks."""
    answers = (check(observed, assessment) for check in CHECKS)
    found = next((answer for answer in answers if answer is not None), None) or _progressing(observed, assessment)
    return replace(found, message=found.message + remarks(observed, assessment))


def phase_of(summary: Summary, observed: Observed, assessment: Assessment | None) -> Phase:
    """Derives the phase from what is known: nothing depends on it."""
    if summary.reason == SUSPENDED:
        return "Suspended"
    if summary.stalled:
        return "Stalled"
    if summary.ready:
        return "Ready"
    if assessment is None or not (assessment.stable or total_ready(observed)):
        return "Pending"
    serves = not assessment.coming and assessment.target is not None
    return "Degraded" if serves and summary.reason != PROGRESSING else "Progressing"


def total_ready(observed: Observed) -> int:
    """Counts the pods that answer, of whatever revision."""
    return sum(observed.ready(revision) for revision in observed.pods)


def label(revision: str, version: str) -> str:
    """Names a revision in messages."""
    return f"revision {revision} ({version})" if version else f"revision {revision}"


def named(observed: Observed, assessment: Assessment, revision: str) -> str:
    """Names a revision with its version, as far as that is known."""
    known = known_as(observed, assessment, revision) or record_of(observed, revision)
    return label(revision, known.version if known is not None else "")


def asked_label(observed: Observed, assessment: Assessment) -> str:
    """Names what is asked for."""
    return named(observed, assessment, assessment.asked) if assessment.asked else "the next revision"


def goes_on(observed: Observed, assessment: Assessment) -> str:
    """Says who serves meanwhile, where somebody does."""
    if assessment.stable and observed.ready(assessment.host_of(assessment.stable)) > 0:
        return f"; {named(observed, assessment, assessment.stable)} goes on serving"
    return ""


def _suspended(observed: Observed, assessment: Assessment) -> Summary | None:
    if not assessment.spec.suspend:
        return None
    message = f"spec.suspend is set: nothing is changed{goes_on(observed, assessment)}"
    return Summary(SUSPENDED, message, ready=assessment.complete)


def _reference_missing(observed: Observed, assessment: Assessment) -> Summary | None:
    if assessment.target is not None:
        return None
    message = "; ".join(observed.contents.missing) + goes_on(observed, assessment)
    return Summary(REFERENCE_NOT_FOUND, message, reconciling=True)


def _name_taken(observed: Observed, assessment: Assessment) -> Summary | None:
    target = assessment.target
    needed = {observed.owner.name, target.name if target is not None else ""}
    taken = sorted(stranger for stranger in observed.strangers if stranger[1] in needed)
    if not taken:
        return None
    names = ", ".join(f"{kind} {observed.owner.namespace}/{name}" for kind, name in taken)
    message = f"bearing the labels of this model but having another owner, and left alone until gone: {names}"
    return Summary(NAME_CONFLICT, message + goes_on(observed, assessment), reconciling=True)


def _failed(observed: Observed, assessment: Assessment) -> Summary | None:
    failure = assessment.failure
    if failure is None:
        return None
    told = failure.message
    if assessment.coming and assessment.stable and not told.startswith("revision "):
        told = f"{asked_label(observed, assessment)} failed: {told}"
    return Summary(failure.reason, told + _meanwhile(observed, assessment), stalled=True)


def _empty(_: Observed, assessment: Assessment) -> Summary | None:
    if assessment.wanted > 0:
        return None
    return Summary(SCALED_TO_ZERO, "spec.replicas is 0: nothing serves", ready=True)


def _complete(observed: Observed, assessment: Assessment) -> Summary | None:
    if not assessment.complete:
        return None
    told = f"{asked_label(observed, assessment)} serves with {_pods(assessment.ready)}"
    if assessment.target is not None and assessment.asked != assessment.target.id:
        told += f", instead of revision {assessment.target.id}, as spec.rollout.rollbackTo says"
    return Summary(READY_REASON, told, ready=True)


def _held(observed: Observed, assessment: Assessment) -> Summary | None:
    """A person, or somebody else's turn, is waited for; nothing is wrong."""
    standing = assessment.decision.standing
    if standing.phase not in {"Paused", "Waiting"}:
        return None
    return Summary(standing.reason, standing.message + _meanwhile(observed, assessment), reconciling=True)


def _faulty(observed: Observed, assessment: Assessment) -> Summary | None:
    fault = assessment.fault
    if fault is None:
        return None
    message = f"{fault.message} ({_progress(observed, assessment)}){_meanwhile(observed, assessment)}"
    return Summary(fault.reason, message, reconciling=True)


def _progressing(observed: Observed, assessment: Assessment) -> Summary:
    standing = assessment.decision.standing
    told = standing.message if assessment.candidate and assessment.stable else _progress(observed, assessment)
    return Summary(PROGRESSING, told + _meanwhile(observed, assessment), reconciling=True)


def _meanwhile(observed: Observed, assessment: Assessment) -> str:
    return goes_on(observed, assessment) if assessment.coming else ""


def _progress(observed: Observed, assessment: Assessment) -> str:
    return f"{asked_label(observed, assessment)}: {assessment.ready} of {_pods(assessment.wanted)} ready"


def _pods(number: int) -> str:
    return f"{number} pod" if number == 1 else f"{number} pods"


CHECKS: tuple[Check, ...] = (
    _suspended,  # a person has said so
    _name_taken,  # nothing can be made in a place that is taken
    _reference_missing,  # what to serve is not known
    _empty,  # nothing is wanted, so nothing can be wrong
    _failed,  # a person has to act
    _complete,  # as declared
    _held,  # on its way, and somebody else has to act
    _faulty,  # on its way, and something is in it
)
