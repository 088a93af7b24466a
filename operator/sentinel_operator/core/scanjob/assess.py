"""Where a scan stands: which step has its turn, what that one waits for, and how it ended. Pure.

A step is done when its pod has told so, and the status keeps what it told: a Job that somebody deletes is made again,
and finds in the store what it had done. Nothing goes on over a failed step: without every shard there is no report.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sentinel_operator.api.scanjob import ScanJobSpec
from sentinel_operator.api.scanning import PlanOutcome, ReportOutcome
from sentinel_operator.api.scanstatus import Phase, ScanVerdict
from sentinel_operator.core.pods.faults import REFERENCE_NOT_FOUND, Fault
from sentinel_operator.core.scanjob.indexes import count
from sentinel_operator.core.scanjob.jobs import QUEUE_NAME as QUEUE_LABEL
from sentinel_operator.core.scanjob.observe import JobView, Observed
from sentinel_operator.core.scanjob.references import claims, secrets
from sentinel_operator.core.scanjob.volumes import Step

MOUNT_SECONDS = 30.0
"""Volumes take seconds; a pod that waits for longer lacks something."""
NO_OUTCOME = "OutcomeUnreadable"
INCOMPLETE: ScanVerdict = "Incomplete"
SHARDS_FAILED = "ShardsFailed"
FINISHED = "Finished"
_ELSEWHERE: dict[str, Step] = {"signing": "report", "detectors": "shard"}
"""What only one step's pods have."""
PHASES: dict[Step, Phase] = {"plan": "Planning", "shard": "Scanning", "report": "Reporting"}


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How it ended. `ready` where there is a report that may be relied on."""

    reason: str
    message: str
    verdict: ScanVerdict
    ready: bool = False
    report: ReportOutcome | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What a pass goes by."""

    spec: ScanJobSpec
    step: Step
    """The one that has its turn."""
    plan: PlanOutcome | None = None
    make: Step | None = None
    """Whose Job is to be made now."""
    again: Step | None = None
    """Whose Job is to be removed, so that it is made again: it is over, and what it told is lost."""
    waits: str = ""
    """What the step waits for, beside its own work."""
    fault: Fault | None = None
    queued: bool = False
    end: End | None = None
    look_again: float | None = None

    @property
    def phase(self) -> Phase:
        """Gives the phase that belongs to it."""
        if self.end is not None:
            return "Succeeded" if self.end.ready else "Failed"
        if self.spec.suspend:
            return "Suspended"
        return "Queued" if self.queued else PHASES[self.step]


def assess(observed: Observed, spec: ScanJobSpec) -> Assessment:
    """Gives the step that has its turn, and how it stands."""
    plan = _plan(observed)
    if plan is None:
        return _standing(observed, spec, "plan", None, done=None)
    if plan.shards < 1:
        message = f"spec.source.objectStore.uri: there is nothing to scan below {spec.source.object_store.uri}"
        return _ended(spec, "plan", plan, End(reason="NotFound", message=message, verdict=INCOMPLETE))
    scan = observed.jobs.get("shard")
    if scan is None or not scan.complete or scan.going:
        return _standing(observed, spec, "shard", plan, done=None)
    return _standing(observed, spec, "report", plan, done=_reported)


def _plan(observed: Observed) -> PlanOutcome | None:
    """What an earlier pass has written stays true when the Job is gone."""
    if observed.planned is not None:
        return observed.planned
    status = observed.status
    if status is None or status.shards is None or not status.shards.total:
        return None
    total = status.progress.total_bytes if status.progress is not None else 0
    return PlanOutcome(shards=status.shards.total, objects=status.objects or 0, bytes=total)


def _ended(spec: ScanJobSpec, step: Step, plan: PlanOutcome | None, end: End) -> Assessment:
    return Assessment(spec=spec, step=step, plan=plan, end=end)


def _reported(observed: Observed) -> End | None:
    report = observed.reported
    if report is None:
        return None
    counts = report.counts
    told = (
        f"{counts.documents} documents: {counts.clean} clean, {counts.elevated} elevated, "
        f"{counts.quarantined} quarantined, {counts.failed} that could not be judged"
    )
    untold = f"; the webhook was not told: {report.untold}" if report.untold else ""
    if report.verdict == INCOMPLETE:
        message = f"not every document was judged as planned ({told}): do not rely on it{untold}"
        return End(reason=INCOMPLETE, message=message, verdict=INCOMPLETE, report=report)
    return End(reason=FINISHED, message=told + untold, verdict=report.verdict, ready=True, report=report)


def _standing(
    observed: Observed,
    spec: ScanJobSpec,
    step: Step,
    plan: PlanOutcome | None,
    *,
    done: Callable[[Observed], End | None] | None,
) -> Assessment:
    """Judges the Job of a step: not there yet, under way, failed, or over."""
    job = observed.jobs.get(step)
    if job is None or job.going:
        wanted = None if spec.suspend or job is not None else step
        return Assessment(spec=spec, step=step, plan=plan, make=wanted)
    if job.failed:
        return _ended(spec, step, plan, _failure(job, step))
    if not job.complete:
        return _under_way(observed, spec, step, plan, job)
    end = done(observed) if done is not None else None
    return _ended(spec, step, plan, end) if end is not None else _without_word(spec, step, plan, job)


def _under_way(observed: Observed, spec: ScanJobSpec, step: Step, plan: PlanOutcome | None, job: JobView) -> Assessment:
    queued = job.suspended and spec.queue_name is not None and not spec.suspend
    waits = f"Job {job.ref.name} waits in queue {spec.queue_name} ({QUEUE_LABEL})" if queued else ""
    fault = _worst(observed, spec, step, job)
    if not waits and not job.pods and not job.suspended and not job.active:
        waits = f"Job {job.ref.name} has no pod yet"
    return Assessment(
        spec=spec,
        step=step,
        plan=plan,
        queued=queued,
        waits=waits,
        fault=fault,
        look_again=_mounted_by(observed, job),
    )


def _without_word(spec: ScanJobSpec, step: Step, plan: PlanOutcome | None, job: JobView) -> Assessment:
    """The Job is complete, and its pod's word is not there: not yet, or not any more, or it makes no sense."""
    if not job.pods:
        return Assessment(spec=spec, step=step, plan=plan, again=step, waits="its pod is gone, and what it told")
    if any(pod.phase == "Succeeded" for pod in job.pods):
        message = f"Job {job.ref.name} is complete, but no pod of it has left an outcome that can be read"
        return _ended(spec, step, plan, End(reason=NO_OUTCOME, message=message, verdict=INCOMPLETE))
    return Assessment(spec=spec, step=step, plan=plan, look_again=2.0)


def _failure(job: JobView, step: Step) -> End:
    faults = sorted((pod.fault for pod in job.pods if pod.fault is not None), key=lambda each: each.rank)
    why = faults[0] if faults else None
    said = f": {why.message}" if why is not None else ""
    if step == "shard" and job.lacks_shards:
        number = count(job.failed_indexes)
        message = f"{number} of {job.completions} shards ({job.failed_indexes}) cannot be scanned{said}; {_UNJUDGED}"
        return End(reason=SHARDS_FAILED, message=message, verdict=INCOMPLETE)
    if why is not None:
        message = f"{why.message}; {_UNJUDGED}" if step == "shard" else why.message
        return End(reason=why.reason, message=message, verdict=INCOMPLETE)
    return End(reason=job.failed, message=f"Job {job.ref.name} failed: {job.failed}", verdict=INCOMPLETE)


_UNJUDGED = "their documents have no verdict, and there is no report"


def _worst(observed: Observed, spec: ScanJobSpec, step: Step, job: JobView) -> Fault | None:
    """Gives what a person has to see first of what is wrong now; a pod that has been replaced is over."""
    better = {pod.index for pod in job.pods if pod.success is not None or pod.started}
    faults = [pod.fault for pod in job.pods if pod.fault is not None and pod.index not in better]
    if faults:
        return min(faults, key=lambda fault: fault.rank)
    limit = observed.now - timedelta(seconds=MOUNT_SECONDS)
    if any(pod.mounting_since is not None and pod.mounting_since <= limit for pod in job.pods):
        return _unmounted(spec, step)
    return None


def _mounted_by(observed: Observed, job: JobView) -> float | None:
    moments = [pod.mounting_since + timedelta(seconds=MOUNT_SECONDS) for pod in job.pods if pod.mounting_since]
    return min(((each - observed.now).total_seconds() for each in moments if each > observed.now), default=None)


def _unmounted(spec: ScanJobSpec, step: Step) -> Fault:
    mounted = [each for each in secrets(spec) if _ELSEWHERE.get(each.field.split(".")[1], step) == step]
    asked = [f"{each.field} (Secret {each.name}{f', key {each.key}' if each.key else ''})" for each in mounted]
    asked += [f"{each.field} (claim {each.name})" for each in claims(spec)] if step == "shard" else []
    if not asked:
        return Fault("PodNotStarted", "pods have a node, but no volumes or no network there")
    return Fault(REFERENCE_NOT_FOUND, f"pods wait for their volumes; look whether these exist: {', '.join(asked)}")
