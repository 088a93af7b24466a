"""The Jobs that measure a model: which one an analysis wants, what became of it, and which are kept for their logs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sentinel_operator.core.analysis.job import job_measurement, job_name, job_spec
from sentinel_operator.core.analysis.measurement import Measurement
from sentinel_operator.core.analysis.progress import Task
from sentinel_operator.core.conditions import parse_time
from sentinel_operator.core.names import KIND, MANAGED_BY, MEASURES, OPERATOR, Owner, controller_uid
from sentinel_operator.core.plan import Delete, Manifest, ObjectRef
from sentinel_operator.core.rollout.decision import AnalysisWanted
from sentinel_operator.core.sentrymodel.faults import pod_fault

COMPONENT = "analysis"
METRIC = "sentinel.dev/metric"
KEPT = 10
"""Jobs that have ended, for their logs; Kubernetes removes them after their time to live."""
BROKEN_SECONDS = 60.0
"""A pod that is kept from starting by what it names (an image, a Secret) may get it by then."""
PLACE_SECONDS = 300.0
"""A pod without a place gets one by then, from whoever adds nodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """One Job of the model's."""

    name: str
    ref: ObjectRef | None = None
    """None where it could not be made."""
    created_at: datetime | None = None
    going: bool = False
    outcome: Measurement | None = None
    """As it has ended; None while it runs."""
    refused: str = ""
    """Why it could not be made."""
    waiting: str = ""
    """What its pod waits for; empty once it has started."""
    broken: bool = False
    """That is something that the Job names, and not a place to run."""


def observe_jobs(children: Iterable[Manifest], pods: Iterable[Manifest]) -> dict[str, JobView]:
    """Gives the model's own Jobs by name."""
    jobs = [child for child in children if child["kind"] == "Job"]
    by_job: dict[str, list[Manifest]] = {}
    for pod in pods if jobs else ():
        by_job.setdefault(controller_uid(pod), []).append(pod)
    return {job["metadata"]["name"]: _view(job, by_job.get(job["metadata"]["uid"], [])) for job in jobs}


def _view(job: Manifest, pods: list[Manifest]) -> JobView:
    metadata = job["metadata"]
    fault = next((fault for pod in pods if (fault := pod_fault(pod, field_of=lambda _: "")) is not None), None)
    waits = not pods or all((pod.get("status") or {}).get("phase", "Pending") == "Pending" for pod in pods)
    waiting = "it has no pod; a quota or an admission policy may be why" if not pods else "its pod has not started"
    if pods and fault is not None:
        waiting = f"{fault.reason}: {fault.message}"
    return JobView(
        name=metadata["name"],
        ref=ObjectRef.of(job, pinned=True),
        created_at=parse_time(str(metadata.get("creationTimestamp") or "")),
        going=bool(metadata.get("deletionTimestamp")),
        outcome=job_measurement(job),
        waiting=waiting if waits else "",
        broken=not pods or (fault is not None and fault.reason != "Unschedulable"),
    )


def name_of(owner: Owner, wanted: AnalysisWanted, task: Task) -> str:
    """Names the Job of one measurement: another run of the analysis, or another attempt, is another Job."""
    run = f"{wanted.key}@{wanted.since:.0f}"
    return job_name(
        owner.name, uid=owner.uid, run=run, revision=wanted.revision, metric=task.check.name, attempt=task.attempt
    )


def measured_by(view: JobView | None, task: Task, now: datetime) -> Measurement | None:
    """Gives what a Job has measured, or why it cannot; None while it may. A Job tells its end in whole seconds: it is
    of this attempt all the same."""
    if view is None:
        return None
    if view.refused:
        return Measurement(at=now, error=f"Job {view.name} cannot be made: {view.refused}")
    if view.outcome is not None:
        least = task.started if task.since is None else task.since + timedelta(microseconds=1)
        return replace(view.outcome, at=max(view.outcome.at, least))
    if view.waiting and patience(view, now) <= 0:
        return Measurement(at=now, error=f"Job {view.name} has not started: {view.waiting}")
    return None


def patience(view: JobView, now: datetime) -> float:
    """Gives the seconds until a Job that has not started is given up."""
    limit = BROKEN_SECONDS if view.broken else PLACE_SECONDS
    return limit - (now - (view.created_at or now)).total_seconds()


def desired_job(owner: Owner, wanted: AnalysisWanted, task: Task, *, account: str) -> Manifest:
    """Gives the Job of one measurement. Its pods bear no label that a Service or an autoscaler of the model selects."""
    if task.check.job is None:
        raise ValueError(f"{task.check.name} is not measured by a Job")
    env = {"CANARY": wanted.revision, "STABLE": wanted.baseline, "NAMESPACE": owner.namespace, "NAME": owner.name}
    found = {MANAGED_BY: OPERATOR, KIND: owner.kind, MEASURES: owner.name, METRIC: task.check.name}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name_of(owner, wanted, task),
            "namespace": owner.namespace,
            "labels": owner.labels(COMPONENT, revision=wanted.revision, extra={METRIC: task.check.name}),
            "ownerReferences": [owner.reference()],
        },
        "spec": job_spec(task.check.job, env=env, labels=found, account=account),
    }


def expired_jobs(jobs: Mapping[str, JobView], *, current: Collection[str]) -> tuple[Delete, ...]:
    """Gives the Jobs that nobody needs any more: those that still run for nothing, and of those that have ended all but
    the newest."""
    others = [view for name, view in jobs.items() if name not in current and not view.going and view.ref is not None]
    others.sort(key=lambda view: (view.created_at.timestamp() if view.created_at else 0.0, view.name), reverse=True)
    ended = [view for view in others if view.outcome is not None]
    gone = [view for view in others if view.outcome is None] + ended[KEPT:]
    return tuple(Delete(view.ref) for view in gone if view.ref is not None)
