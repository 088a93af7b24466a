"""Where the delivery stands: which revision serves, which one comes, and whether it got there or failed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sentinel_operator.api.fields import seconds
from sentinel_operator.api.sentrymodel import RevisionRecord, RolloutStatus, SentryModelSpec
from sentinel_operator.core.conditions import parse_time, rfc3339
from sentinel_operator.core.sentrymodel.faults import REFERENCE_NOT_FOUND, Fault
from sentinel_operator.core.sentrymodel.observe import Observed
from sentinel_operator.core.sentrymodel.references import claims, secrets
from sentinel_operator.core.sentrymodel.revision import Revision

DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"
MOUNT_SECONDS = 30.0
"""Volumes take seconds; a pod that waits for longer lacks something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What one pass makes of what it observed."""

    spec: SentryModelSpec
    target: Revision | None
    """The revision that the spec asks for; None while something that it refers to is not there."""
    stable: str
    """The revision that serves; empty before any has been fully ready."""
    was_stable: str
    wanted: int
    ready: int
    """Ready pods of the target."""
    fault: Fault | None
    """What keeps the target's pods from being ready."""
    failure: Fault | None
    """Why the target counts as failed: a terminal fault, or no progress in time."""
    rollout: RolloutStatus | None
    look_again: float | None
    """Seconds until time alone changes the assessment."""

    @property
    def promoted(self) -> bool:
        """Tells whether this pass finds the target to have taken over."""
        return self.stable != self.was_stable

    @property
    def coming(self) -> bool:
        """Tells whether the target has not taken over yet."""
        return self.target is not None and self.target.id != self.stable

    @property
    def complete(self) -> bool:
        """Tells whether what the spec asks for is what serves."""
        return self.target is not None and self.wanted > 0 and not self.coming and self.ready >= self.wanted


def assess(observed: Observed, spec: SentryModelSpec, target: Revision | None) -> Assessment:
    """Judges the state of the delivery from what is observed and from what the status remembers."""
    was_stable = stable_before(observed, target)
    wanted = wanted_replicas(observed, spec, serving=was_stable or (target.id if target else ""))
    ready = min(observed.ready(target.id), observed.replicas(target.id)) if target else 0
    arrived = target is not None and wanted > 0 and ready >= wanted
    stable = target.id if target is not None and arrived else was_stable
    coming = target is not None and target.id != stable and wanted > 0
    fault = None if target is None or arrived else worst_fault(observed, spec, target.id)
    rollout = _rollout(observed, target, ready) if coming and target is not None and not spec.suspend else None
    remembered = _remembered(observed, target, ready) if coming and target is not None else None
    failure = _failure(observed, spec, fault=fault, rollout=rollout, remembered=remembered)
    return Assessment(
        spec=spec,
        target=target,
        stable=stable,
        was_stable=was_stable,
        wanted=wanted,
        ready=ready,
        fault=fault,
        failure=failure,
        rollout=rollout,
        look_again=_look_again(observed, spec, target, rollout),
    )


def stable_before(observed: Observed, target: Revision | None) -> str:
    """Gives the revision that served until now: the remembered one, while it exists. If the memory is lost, the one
    with most ready pods, the oldest of equals."""
    status = observed.status
    if status is not None:
        stable = status.stable.revision if status.stable else ""
        exists = stable in observed.deployments or (target is not None and target.id == stable)
        return stable if exists else ""
    ready = [view for view in observed.deployments.values() if observed.ready(view.revision) > 0]
    ready.sort(key=lambda view: (-observed.ready(view.revision), view.created_at, view.revision))
    return ready[0].revision if ready else ""


def wanted_replicas(observed: Observed, spec: SentryModelSpec, *, serving: str) -> int:
    """Gives how many pods there should be: what the user says, or what an autoscaler has made of what serves."""
    if spec.autoscaling is None:
        return 1 if spec.replicas is None else spec.replicas
    return min(max(observed.replicas(serving), spec.autoscaling.min), spec.autoscaling.max)


def worst_fault(observed: Observed, spec: SentryModelSpec, revision: str) -> Fault | None:
    """Gives the fault that a person has to see first; which pod shows it does not matter."""
    pods = observed.pods.get(revision, ())
    faults = [pod.fault for pod in pods if pod.fault is not None]
    if faults:
        return min(faults, key=lambda fault: fault.rank)
    found = observed.deployments.get(revision)
    if found is not None and found.fault is not None:
        return found.fault
    limit = observed.now - timedelta(seconds=MOUNT_SECONDS)
    if any(pod.mounting_since is not None and pod.mounting_since <= limit for pod in pods):
        return _unmounted(spec)
    return None


def _unmounted(spec: SentryModelSpec) -> Fault:
    mounted = [mention for mention in secrets(spec) if not mention.field.endswith("credentialsSecretRef")]
    asked = [f"{each.field} (Secret {each.name}{f', key {each.key}' if each.key else ''})" for each in mounted]
    asked += [f"{each.field} (claim {each.name})" for each in claims(spec)]
    if not asked:
        return Fault("PodNotStarted", "pods have a node, but no volumes or no network there")
    return Fault(REFERENCE_NOT_FOUND, f"pods wait for their volumes; look whether these exist: {', '.join(asked)}")


def _rollout(observed: Observed, target: Revision, ready: int) -> RolloutStatus:
    status = observed.status
    before = status.canary if status is not None else None
    known = status.rollout if status is not None and before is not None and before.revision == target.id else None
    now = rfc3339(observed.now)
    if known is None or before is None:
        return RolloutStatus(started_at=now, progressed_at=now)
    return known.model_copy(update={"progressed_at": now}) if ready > before.ready_replicas else known


def _remembered(observed: Observed, target: Revision, ready: int) -> Fault | None:
    """Gives why the target was found to fail before: pods that are replaced meanwhile show nothing for a while. Ready
    pods, or asking for another revision in between, make it forgotten."""
    status = observed.status
    if status is None or status.canary is None or status.canary.revision != target.id:
        return None
    if ready > status.canary.ready_replicas:
        return None
    record = record_of(observed, target.id)
    if record is None or record.verdict != "Failed":
        return None
    reason, _, message = record.message.partition(": ")
    return None if reason == DEADLINE_EXCEEDED else Fault(reason, message, terminal=True)


def record_of(observed: Observed, revision: str) -> RevisionRecord | None:
    """Gives what the history says of a revision."""
    records = (observed.status.revisions or ()) if observed.status is not None else ()
    return next((record for record in records if record.revision == revision), None)


def _failure(
    observed: Observed,
    spec: SentryModelSpec,
    *,
    fault: Fault | None,
    rollout: RolloutStatus | None,
    remembered: Fault | None,
) -> Fault | None:
    if fault is not None and fault.terminal:
        return fault
    if remembered is not None:
        return remembered
    if rollout is None or observed.now < _deadline(spec, rollout, observed.now):
        return None
    seen = f": {fault.reason}: {fault.message}" if fault is not None else ""
    return Fault(DEADLINE_EXCEEDED, f"no progress within {spec.rollout.progress_deadline}{seen}", terminal=True)


def _deadline(spec: SentryModelSpec, rollout: RolloutStatus, now: datetime) -> datetime:
    progressed = parse_time(rollout.progressed_at) or now
    return progressed + timedelta(seconds=seconds(spec.rollout.progress_deadline))


def _look_again(
    observed: Observed, spec: SentryModelSpec, target: Revision | None, rollout: RolloutStatus | None
) -> float | None:
    moments = [_deadline(spec, rollout, observed.now)] if rollout is not None else []
    pods = observed.pods.get(target.id, ()) if target is not None else ()
    moments += [pod.mounting_since + timedelta(seconds=MOUNT_SECONDS) for pod in pods if pod.mounting_since is not None]
    left = [(moment - observed.now).total_seconds() for moment in moments if moment > observed.now]
    return min(left, default=None)
