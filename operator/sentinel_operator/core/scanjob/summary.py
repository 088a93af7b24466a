"""The one sentence about a scan: is it done, is it on its way, or does it need a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sentinel_operator.api.scanstatus import Phase
from sentinel_operator.core.pods.faults import REFERENCE_NOT_FOUND
from sentinel_operator.core.scanjob.assess import Assessment
from sentinel_operator.core.scanjob.jobs import children_name
from sentinel_operator.core.scanjob.observe import Observed
from sentinel_operator.core.scanjob.volumes import Step

INVALID_SPEC = "InvalidSpec"
MANAGED_ELSEWHERE = "ManagedElsewhere"
NAME_CONFLICT = "NameConflict"
SUSPENDED = "Suspended"
_WORK: Mapping[Step, str] = {
    "plan": "the source is listed and cut into shards",
    "shard": "{done} of {all} shards are scanned",
    "report": "the results are put together",
}
_DONE: Mapping[Step, str] = {
    **_WORK,
    "plan": "nothing is scanned yet",
    "report": "every shard is scanned, and the report is left",
}
"""The same while nobody works."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The condition Ready, which of Reconciling and Stalled stands beside it, and the phase."""

    reason: str
    message: str
    phase: Phase
    ready: bool = False
    reconciling: bool = False
    stalled: bool = False


def summarize(observed: Observed, assessment: Assessment) -> Summary:
    """Gives the sentence; what a person has to know first comes first."""
    end, phase = assessment.end, assessment.phase
    if end is not None:
        return Summary(reason=end.reason, message=end.message, phase=phase, ready=end.ready, stalled=not end.ready)
    if assessment.spec.suspend:
        told = work(observed, assessment, words=_DONE)
        return Summary(reason=SUSPENDED, message=f"spec.suspend is set; {told}", phase=phase)
    taken = obstacle(observed)
    if taken is not None:
        return taken
    if assessment.queued:
        told = f"{assessment.waits}; {work(observed, assessment, words=_DONE)}"
        return Summary(reason="Queued", message=told, phase=phase, reconciling=True)
    told = work(observed, assessment)
    if assessment.fault is not None:
        fault = assessment.fault
        return Summary(reason=fault.reason, message=f"{fault.message} ({told})", phase=phase, reconciling=True)
    waits = f"; {assessment.waits}" if assessment.waits else ""
    return Summary(reason=phase, message=told + waits, phase=phase, reconciling=True)


def obstacle(observed: Observed) -> Summary | None:
    """Gives what keeps anything from being made: a name that is taken, or an object that is referred to and missing."""
    if observed.strangers:
        names = ", ".join(f"{kind} {observed.owner.namespace}/{name}" for kind, name in sorted(observed.strangers))
        message = f"bearing the labels of this object but having another owner, and left alone until gone: {names}"
        return Summary(reason=NAME_CONFLICT, message=message, phase="Pending", reconciling=True)
    if observed.contents.missing and ("ConfigMap", children_name(observed.owner)) not in observed.children:
        message = "; ".join(observed.contents.missing)
        return Summary(reason=REFERENCE_NOT_FOUND, message=message, phase="Pending", reconciling=True)
    return None


def work(observed: Observed, assessment: Assessment, *, words: Mapping[Step, str] = _WORK) -> str:
    """Says what the step does, and how much of it is done."""
    job = observed.jobs.get("shard")
    done = job.succeeded if job is not None else 0
    shards = assessment.plan.shards if assessment.plan is not None else 0
    return words[assessment.step].format(done=done, all=shards)
