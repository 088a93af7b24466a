"""From an observation to a plan: what to make and pace, and what to say about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sentinel_operator.api.scanjob import CONTROLLER, ScanJobSpec
from sentinel_operator.api.scanstatus import ScanJobStatus
from sentinel_operator.core.analysis.subject import Subject, Target
from sentinel_operator.core.conditions import parse_time
from sentinel_operator.core.names import PACE_MANAGER
from sentinel_operator.core.plan import Apply, Delete, Event, Failure, Manifest, Plan
from sentinel_operator.core.podreport import Watching
from sentinel_operator.core.scanjob.assess import Assessment, assess
from sentinel_operator.core.scanjob.children import (
    desired_config_map,
    desired_network_policy,
    desired_service_account,
)
from sentinel_operator.core.scanjob.config import config_data
from sentinel_operator.core.scanjob.jobs import children_name, desired_job, paced_job
from sentinel_operator.core.scanjob.observe import JobView, Observed
from sentinel_operator.core.scanjob.outcome import read_progress
from sentinel_operator.core.scanjob.progress import WRITE_EVERY
from sentinel_operator.core.scanjob.status import (
    desired_status,
    kept_status,
    progress_age,
    undecided_status,
)
from sentinel_operator.core.scanjob.summary import (
    INVALID_SPEC,
    MANAGED_ELSEWHERE,
    NAME_CONFLICT,
    Summary,
    obstacle,
    summarize,
)
from sentinel_operator.core.scanjob.transitions import changes, events, last_decision
from sentinel_operator.core.scanjob.volumes import Step
from sentinel_operator.core.written import as_manifest

REJECTED = "ChildRejected"
REFERENCE_RETRY_SECONDS = 30.0
_LOOK_EVERY = 15.0
"""While pods scan: what does not go on has to show."""


def plan_for(observed: Observed) -> Plan:
    """Gives the whole outcome of a pass. Nothing is done for what is going, somebody else's, or not understood."""
    if observed.deleting:
        return Plan()
    if observed.managed_by not in {"", CONTROLLER}:
        return _left_alone(observed)
    if observed.finished and observed.status is not None:
        return _after_the_end(observed, observed.status)
    if observed.spec is None:
        return _undecided(
            observed, Summary(reason=INVALID_SPEC, message=observed.problem, phase="Failed", stalled=True)
        )
    assessment = assess(observed, observed.spec)
    told = _told(observed, assessment, summarize(observed, assessment))
    if assessment.end is not None:
        return replace(told, requeue_after=observed.spec.ttl_seconds_after_finished)
    if obstacle(observed) is not None:
        return Plan(status=told.status, events=told.events, requeue_after=REFERENCE_RETRY_SECONDS)
    return Plan(
        apply=(*_children(observed, assessment), *_paced(observed, assessment)),
        delete=_made_again(observed, assessment),
        status=told.status,
        events=told.events,
        watch=_watched(observed, assessment),
        requeue_after=_soonest(observed, assessment),
    )


def plan_for_failure(observed: Observed, error: Failure) -> Plan | None:
    """Gives what to tell about a step that did not happen; None for what passes by itself."""
    if observed.spec is None or observed.deleting or observed.finished:
        return None
    assessment = assess(observed, observed.spec)
    if error.terminal:
        message = f"{error.ref}: {error.message}"
        return _told(observed, assessment, Summary(reason=REJECTED, message=message, phase="Pending", stalled=True))
    if error.code == 409:
        message = f"{error.ref} exists and is somebody else's: {error.message}"
        summary = Summary(reason=NAME_CONFLICT, message=message, phase="Pending", reconciling=True)
        return _told(observed, assessment, summary)
    return None


def desired_children(observed: Observed, spec: ScanJobSpec) -> tuple[Manifest, ...]:
    """Gives what the pods of every step share. The ConfigMap is made once: the pods of one scan read the same."""
    config_map = ("ConfigMap", children_name(observed.owner))
    candidates = (
        desired_service_account(spec, owner=observed.owner),
        desired_network_policy(spec, observed.config, owner=observed.owner),
        desired_config_map(spec, _data(observed, spec), owner=observed.owner)
        if config_map not in observed.children
        else None,
    )
    return tuple(child for child in candidates if child is not None)


def _data(observed: Observed, spec: ScanJobSpec) -> dict[str, str]:
    return config_data(
        spec,
        owner=observed.owner,
        contents=observed.contents,
        prices=observed.config.prices,
        requested=(observed.requested_by, observed.created_at),
    )


def _children(observed: Observed, assessment: Assessment) -> tuple[Apply, ...]:
    """What is not there as far as is known is not taken by force: should somebody else have an object of that name, the
    API server answers with a conflict instead of handing it over."""
    spec = assessment.spec
    if spec.suspend and not observed.jobs:
        return ()
    intents = list(desired_children(observed, spec))
    if assessment.make is not None:
        shards = assessment.plan.shards if assessment.plan is not None else 1
        intents.append(desired_job(spec, observed.config, assessment.make, owner=observed.owner, shards=shards))
    return tuple(
        Apply(child, force=(child["kind"], child["metadata"]["name"]) in observed.children) for child in intents
    )


def _paced(observed: Observed, assessment: Assessment) -> tuple[Apply, ...]:
    """A Job is written to only where its pace is another one than is wanted; all else of it cannot be changed."""
    shards = assessment.plan.shards if assessment.plan is not None else 1
    found: list[Apply] = []
    for step, job in observed.jobs.items():
        if job.ended or job.going:
            continue
        wanted = paced_job(assessment.spec, step, job.ref, shards=shards)
        if _differs(wanted["spec"], step, job):
            found.append(Apply(wanted, field_manager=PACE_MANAGER))
    return tuple(found)


def _differs(pace: Manifest, step: Step, job: JobView) -> bool:
    """Kueue's `suspend` is left alone; where it was ours before, it is given back by leaving it out."""
    if pace.get("suspend", False) != job.suspended:
        return True
    return step == "shard" and pace["parallelism"] != job.parallelism


def _made_again(observed: Observed, assessment: Assessment) -> tuple[Delete, ...]:
    job = observed.jobs.get(assessment.again) if assessment.again is not None else None
    return (Delete(job.ref),) if job is not None else ()


def _watched(observed: Observed, assessment: Assessment) -> Watching | None:
    """Running pods say how far they are; nothing else would tell before they end."""
    job = observed.jobs.get("shard")
    if assessment.step != "shard" or job is None or job.ended:
        return None
    asked = [pod for pod in job.pods if pod.started and pod.address and pod.success is None]
    if not asked:
        return None
    owner = observed.owner
    targets = tuple(Target(uid=pod.uid, name=pod.name, revision="", address=pod.address) for pod in asked)
    subject = Subject(uid=owner.uid, namespace=owner.namespace, name=owner.name, canary="", stable="", targets=targets)
    return Watching(subject=subject, read=read_progress, path="/progress", every=WRITE_EVERY)


def _soonest(observed: Observed, assessment: Assessment) -> float | None:
    moments = [assessment.look_again]
    job = observed.jobs.get("shard")
    if assessment.step == "shard" and job is not None and any(pod.started for pod in job.pods):
        age = progress_age(observed)
        moments.append(WRITE_EVERY - age if 0 <= age < WRITE_EVERY else _LOOK_EVERY)
    return min((each for each in moments if each is not None), default=None)


def _told(observed: Observed, assessment: Assessment, summary: Summary) -> Plan:
    made = changes(observed, assessment, summary)
    status = desired_status(observed, assessment, summary, decision=last_decision(observed, made))
    return Plan(status=as_manifest(status), events=events(observed.status, status, made))


def _after_the_end(observed: Observed, status: ScanJobStatus) -> Plan:
    """What is finished stays as it was written, until its time is over."""
    kept = as_manifest(kept_status(observed, status))
    ttl = observed.spec.ttl_seconds_after_finished if observed.spec is not None else None
    finished = parse_time(status.finished_at or "")
    if ttl is None or finished is None:
        return Plan(status=kept)
    left = (finished + timedelta(seconds=ttl) - observed.now).total_seconds()
    if left > 0:
        return Plan(status=kept, requeue_after=left)
    return Plan(status=kept, expire=True)


def _left_alone(observed: Observed) -> Plan:
    """Says so once, and then leaves even the status to whoever looks after the object."""
    if observed.status is not None:
        return Plan()
    message = f"spec.managedBy is {observed.managed_by}: this operator ({CONTROLLER}) leaves the object alone"
    status = undecided_status(observed, Summary(reason=MANAGED_ELSEWHERE, message=message, phase="Pending"))
    return Plan(status=as_manifest(status), events=(Event("Normal", MANAGED_ELSEWHERE, message),))


def _undecided(observed: Observed, summary: Summary) -> Plan:
    status = undecided_status(observed, summary)
    return Plan(status=as_manifest(status), events=events(observed.status, status))
