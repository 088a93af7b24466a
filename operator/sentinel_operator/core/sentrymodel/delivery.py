"""The delivery of a model's revisions: its part of the observation for the state machine, and the decision."""

from __future__ import annotations

from dataclasses import replace

from sentinel_operator.api.sentrymodel import SentryModelSpec
from sentinel_operator.api.serving import ExitCode
from sentinel_operator.core.intstr import resolve
from sentinel_operator.core.names import revision_name
from sentinel_operator.core.rollout.decide import recovered
from sentinel_operator.core.rollout.observed import Fault as RolloutFault
from sentinel_operator.core.rollout.observed import Observed as RolloutObserved
from sentinel_operator.core.rollout.observed import RevisionView
from sentinel_operator.core.rollout.progress import run_key
from sentinel_operator.core.sentrymodel.faults import Fault
from sentinel_operator.core.sentrymodel.memory import remembered_records, remembered_state
from sentinel_operator.core.sentrymodel.moving import spare_pods
from sentinel_operator.core.sentrymodel.observe import DeploymentView, Observed
from sentinel_operator.core.sentrymodel.pods import worst_fault
from sentinel_operator.core.sentrymodel.revision import Revision
from sentinel_operator.core.sentrymodel.swapping import swapping_view

_REJECTING = frozenset(
    code.name
    for code in (
        ExitCode.DigestMismatch,
        ExitCode.SignatureInvalid,
        ExitCode.ScanInvalid,
        ExitCode.SchemaMismatch,
        ExitCode.ModelUnreadable,
        ExitCode.ArtifactTooLarge,
    )
)
"""What lies in the revision itself: no other pod of it can do better."""


def delivery_view(observed: Observed, spec: SentryModelSpec, target: Revision | None) -> RolloutObserved:
    """Gives what the state machine has to know of a model."""
    state, now = remembered_state(observed.status), observed.now.timestamp()
    view = RolloutObserved(
        spec=spec.rollout,
        wanted=0,
        target=target.id if target is not None else "",
        state=replace(state, progressed=now) if state.candidate and not state.progressed else state,
        revisions={each.revision: _revision(observed, spec, each) for each in _oldest_first(observed)},
        history=remembered_records(observed.status),
        provider=spec.routing.provider,
        routing=observed.data_plane.routing,
        autoscaled=spec.autoscaling is not None,
        autoscaler=observed.scaled_by_autoscaler.removeprefix(f"{observed.owner.name}-"),
        budget=observed.outside.budget,
        spare=observed.outside.spare,
        now=now,
    )
    view = swapping_view(observed, view, target)
    serving = recovered(view).state.base or view.target
    wanted = _wanted(observed, spec, serving=serving)
    gate = observed.outside.gates.get(run_key(view, state.step))
    view = replace(view, wanted=wanted, min_available=_min_available(spec, wanted), gate=gate)
    return replace(view, extra=spare_pods(observed, spec, view))


def _wanted(observed: Observed, spec: SentryModelSpec, *, serving: str) -> int:
    """Gives how many pods there should be: what the user says, or what an autoscaler has made of what serves."""
    if spec.autoscaling is None:
        return 1 if spec.replicas is None else spec.replicas
    return min(max(observed.replicas(serving), spec.autoscaling.min), spec.autoscaling.max)


def _min_available(spec: SentryModelSpec, wanted: int) -> int:
    """Gives how many pods the budget for disruptions keeps."""
    disruption = spec.disruption
    if wanted < 2:
        return min(1, wanted)
    if disruption is not None and disruption.min_available is not None:
        return min(wanted, resolve(disruption.min_available, of=wanted, round_up=True))
    missing = 1
    if disruption is not None and disruption.max_unavailable is not None:
        missing = resolve(disruption.max_unavailable, of=wanted, round_up=True)
    return max(0, wanted - missing)


def _revision(observed: Observed, spec: SentryModelSpec, view: DeploymentView) -> RevisionView:
    revision = view.revision
    routed = observed.owner.name if spec.routing.provider == "Service" else revision_name(observed.owner.name, revision)
    asked = any(part is not None for part in (spec.model.digest, spec.model.verify, spec.model.require_scan))
    pods = [pod for pod in observed.pods.get(revision, ()) if pod.ready]
    return RevisionView(
        id=revision,
        replicas=view.replicas,
        ready=len(pods),
        endpoints=observed.data_plane.behind(routed, revision),
        verified=not asked or all(pod.verification is not None for pod in pods),
        fault=_fault(worst_fault(observed, spec, revision)),
    )


def _fault(fault: Fault | None) -> RolloutFault | None:
    if fault is None:
        return None
    return RolloutFault(fault.reason, fault.message, terminal=fault.terminal, rejects=fault.reason in _REJECTING)


def _oldest_first(observed: Observed) -> list[DeploymentView]:
    return sorted(observed.deployments.values(), key=lambda view: (view.created_at, view.revision))
