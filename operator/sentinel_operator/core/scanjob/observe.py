"""Raw objects in, one frozen value out: what a pass knows of a scan, its Jobs and its pods."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import ValidationError

from sentinel_operator.api.scanjob import ScanJobSpec
from sentinel_operator.api.scanning import PlanOutcome, Progress, ReportOutcome, ShardOutcome
from sentinel_operator.api.scanstatus import ScanJobStatus
from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.core.conditions import parse_time
from sentinel_operator.core.names import Owner, controller_uid
from sentinel_operator.core.outside import NOTHING, Outside
from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.core.pods.faults import Fault, FieldOf
from sentinel_operator.core.pods.mentions import Contents
from sentinel_operator.core.scanjob.jobs import COMPONENTS, job_name
from sentinel_operator.core.scanjob.outcome import Success, fault, success
from sentinel_operator.core.scanjob.volumes import Step

_INDEX = "batch.kubernetes.io/job-completion-index"
_SHARDS_FAILED = frozenset({"FailedIndexes", "MaxFailedIndexesExceeded"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PodView:
    """One pod of a Job."""

    name: str
    uid: str
    index: int
    phase: str
    address: str = ""
    """Its IP address, empty before it has one."""
    success: Success | None = None
    fault: Fault | None = None
    started: bool = False
    """Its container runs, and can be asked."""
    mounting_since: datetime | None = None
    """Since when it has a node, but not its volumes; None when that is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """One Job, and its pods."""

    ref: ObjectRef
    going: bool = False
    suspended: bool = False
    parallelism: int = 0
    completions: int = 1
    active: int = 0
    succeeded: int = 0
    failed_indexes: str = ""
    complete: bool = False
    failed: str = ""
    """Why it has failed for good: the reason of its condition."""
    created_at: datetime | None = None
    pods: tuple[PodView, ...] = ()

    @property
    def ended(self) -> bool:
        """Tells whether nothing more will become of it."""
        return self.complete or bool(self.failed)

    @property
    def lacks_shards(self) -> bool:
        """Tells that it has failed for some of its shards only."""
        return self.failed in _SHARDS_FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything that a pass decides from. `spec` is None when it does not validate; `problem` then says why."""

    owner: Owner
    generation: int
    deleting: bool
    managed_by: str
    spec: ScanJobSpec | None
    problem: str
    requested_by: str = ""
    created_at: str = ""
    status: ScanJobStatus | None
    contents: Contents
    config: SentinelConfigSpec
    jobs: Mapping[Step, JobView] = field(default_factory=dict)
    children: frozenset[tuple[str, str]] = frozenset()
    """Kind and name of every object that the ScanJob controls."""
    strangers: frozenset[tuple[str, str]] = frozenset()
    """Kind and name of objects with the ScanJob's labels that somebody else controls: a namesake's, usually."""
    outside: Outside = NOTHING
    now: datetime

    @property
    def finished(self) -> bool:
        """Tells whether the end is written already: nothing is made, or judged, anew."""
        return self.status is not None and self.status.finished_at is not None

    def outcome(self, step: Step) -> Success | None:
        """Gives what a step's pod left: of a Job with one pod."""
        job = self.jobs.get(step)
        return next((pod.success for pod in job.pods if pod.success is not None), None) if job is not None else None

    @property
    def planned(self) -> PlanOutcome | None:
        """Gives the plan, as its pod has told it."""
        outcome = self.outcome("plan")
        return outcome if isinstance(outcome, PlanOutcome) else None

    @property
    def reported(self) -> ReportOutcome | None:
        """Gives the report, as its pod has told it."""
        outcome = self.outcome("report")
        return outcome if isinstance(outcome, ReportOutcome) else None

    def shard_counts(self) -> dict[int, Progress | ShardOutcome]:
        """Gives the newest word on each shard: of a pod that has ended, else of one that answers."""
        found: dict[int, Progress | ShardOutcome] = {}
        job = self.jobs.get("shard")
        for pod in job.pods if job is not None else ():
            told = self.outside.reports.get(pod.uid)
            if isinstance(pod.success, ShardOutcome):
                found[pod.index] = pod.success
            elif isinstance(told, Progress) and not isinstance(found.get(pod.index), ShardOutcome):
                found[pod.index] = told
        return found


def observe_children(
    owner: Owner, children: Iterable[Manifest]
) -> tuple[tuple[Manifest, ...], frozenset[tuple[str, str]]]:
    """Parts the ScanJob's own children from a namesake's."""
    listed = tuple(children)
    own = tuple(child for child in listed if owner.owns(child))
    strangers = (child for child in listed if controller_uid(child) not in {"", owner.uid})
    return own, frozenset((child["kind"], child["metadata"]["name"]) for child in strangers)


def observe_jobs(
    owner: Owner, own: Iterable[Manifest], pods: Iterable[Manifest], *, field_of: FieldOf
) -> dict[Step, JobView]:
    """Gives the Jobs by step, with the pods that each of them controls."""
    steps = {job_name(owner, step): step for step in COMPONENTS}
    by_job: dict[str, list[Manifest]] = {}
    for pod in pods:
        by_job.setdefault(controller_uid(pod), []).append(pod)
    return {
        steps[child["metadata"]["name"]]: _job(child, by_job.get(child["metadata"]["uid"], []), field_of)
        for child in own
        if child["kind"] == "Job" and child["metadata"]["name"] in steps
    }


def observe_status(raw: Manifest) -> ScanJobStatus | None:
    """Reads what an earlier pass wrote; None when there is nothing that can be relied on."""
    try:
        status = ScanJobStatus.model_validate(raw.get("status") or {})
    except ValidationError:
        return None
    return status if status.observed_generation >= 0 else None


def _job(job: Manifest, pods: list[Manifest], field_of: FieldOf) -> JobView:
    metadata, spec, status = job["metadata"], job.get("spec") or {}, job.get("status") or {}
    conditions = {each["type"]: each for each in status.get("conditions") or () if each.get("status") == "True"}
    return JobView(
        ref=ObjectRef.of(job, pinned=True),
        going=bool(metadata.get("deletionTimestamp")),
        suspended=bool(spec.get("suspend")),
        parallelism=int(spec.get("parallelism") or 0),
        completions=int(spec.get("completions") or 1),
        active=int(status.get("active") or 0),
        succeeded=int(status.get("succeeded") or 0),
        failed_indexes=str(status.get("failedIndexes") or ""),
        complete="Complete" in conditions,
        failed=str(conditions["Failed"].get("reason") or "Failed") if "Failed" in conditions else "",
        created_at=parse_time(str(metadata.get("creationTimestamp") or "")),
        pods=tuple(_pod(pod, field_of) for pod in pods),
    )


def _pod(pod: Manifest, field_of: FieldOf) -> PodView:
    metadata, status = pod["metadata"], pod.get("status") or {}
    left = success(pod)
    conditions = {each["type"]: each for each in status.get("conditions") or ()}
    return PodView(
        name=str(metadata["name"]),
        uid=str(metadata.get("uid") or ""),
        index=_index(pod),
        phase=str(status.get("phase") or "Pending"),
        address=str(status.get("podIP") or ""),
        success=left,
        fault=None if left is not None else fault(pod, field_of=field_of),
        started=any("running" in (each.get("state") or {}) for each in status.get("containerStatuses") or ()),
        # One that has ended has no sandbox any more either.
        mounting_since=_mounting_since(conditions) if status.get("phase", "Pending") == "Pending" else None,
    )


def _index(pod: Manifest) -> int:
    text = str((pod["metadata"].get("annotations") or {}).get(_INDEX, ""))
    return int(text) if text.isdecimal() else 0


def _mounting_since(conditions: Mapping[str, Manifest]) -> datetime | None:
    """The kubelet makes a pod's sandbox after it has mounted everything; what is missing, it does not say there."""
    scheduled, started = conditions.get("PodScheduled", {}), conditions.get("PodReadyToStartContainers", {})
    if scheduled.get("status") != "True" or started.get("status") != "False":
        return None
    return parse_time(str(scheduled.get("lastTransitionTime") or ""))
