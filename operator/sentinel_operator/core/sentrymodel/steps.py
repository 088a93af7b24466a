"""From an observation to a plan: what to apply, scale and remove, and what to say about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sentinel_operator.api.sentrymodel import SentryModelSpec
from sentinel_operator.core.analysis.subject import Subject, Target
from sentinel_operator.core.names import ROUTING_MANAGER, revision_name
from sentinel_operator.core.plan import WORKLOAD_MANAGER, Apply, Delete, Failure, Manifest, ObjectRef, Plan, Scale
from sentinel_operator.core.podreport import Watching, swaps_of
from sentinel_operator.core.sentrymodel.assess import Assessment, assess
from sentinel_operator.core.sentrymodel.desired import desired_children
from sentinel_operator.core.sentrymodel.gates import asking
from sentinel_operator.core.sentrymodel.gpus import gpu_events
from sentinel_operator.core.sentrymodel.history import expired_objects
from sentinel_operator.core.sentrymodel.jobs import JobView, expired_jobs
from sentinel_operator.core.sentrymodel.moving import moves
from sentinel_operator.core.sentrymodel.observe import Observed
from sentinel_operator.core.sentrymodel.revision import Revision, desired_revision
from sentinel_operator.core.sentrymodel.status import desired_status, undecided_status
from sentinel_operator.core.sentrymodel.summary import INVALID_SPEC, NAME_CONFLICT, Summary, goes_on, summarize
from sentinel_operator.core.sentrymodel.transitions import changes, events, last_decision
from sentinel_operator.core.written import as_manifest

REJECTED = "ChildRejected"
REFERENCE_RETRY_SECONDS = 30.0
_PRUNED = frozenset(
    {
        "Service",
        "ServiceAccount",
        "Role",
        "RoleBinding",
        "NetworkPolicy",
        "HorizontalPodAutoscaler",
        "PodDisruptionBudget",
        "HTTPRoute",
    }
)


def plan_for(observed: Observed) -> Plan:
    """Gives the whole outcome of a pass. Nothing is changed for a model that is going, suspended or not understood."""
    if observed.deleting:
        return Plan()
    if observed.spec is None:
        return _undecided(observed, Summary(INVALID_SPEC, observed.problem, stalled=True))
    assessment = _assess(observed, observed.spec)
    if observed.spec.suspend:
        frozen = assessment.frozen(clock=False)
        return _told(observed, frozen, summarize(observed, frozen), scaled={})
    targets = assessment.decision.replicas
    scaled = _scaled(observed, targets)
    told = _told(observed, assessment, summarize(observed, assessment), scaled=scaled)
    children = desired_children(observed, assessment, deploy=_deploys(observed, assessment, targets))
    judged = assessment.judgement
    jobs, current = (judged.jobs, judged.current) if judged is not None else ((), ())
    spent = expired_jobs(observed.jobs, current=current)
    moved = moves(observed, observed.spec, assessment.view)
    delete = (*_unwanted(observed, children), *expired_objects(observed, assessment), *spent)
    return Plan(
        apply=_applied((*children, *jobs), observed, busy=bool(scaled or delete)),
        scale=_scale(observed, scaled),
        delete=delete,
        evict=moved.leaving,
        status=told.status,
        events=(*told.events, *gpu_events(observed, moved)),
        watch=_watched(observed, assessment),
        measure=judged.measuring if judged is not None else None,
        ask=asking(observed, assessment),
        requeue_after=_soonest(
            assessment.look_again if assessment.target is not None else REFERENCE_RETRY_SECONDS,
            moved.look_again,
        ),
        wants_slot=assessment.decision.wants_slot,
        wants_room=_unsure_of_room(assessment),
    )


def plan_for_failure(observed: Observed, error: Failure) -> Plan | None:
    """Gives what to tell about a step that did not happen; None for what passes by itself."""
    if observed.spec is None or observed.deleting:
        return None
    if error.ref.kind == "Job" and (error.terminal or error.code == 409):
        return _job_refused(observed, observed.spec, error)
    assessment = _assess(observed, observed.spec).frozen()
    tail = goes_on(observed, assessment)
    if error.terminal:
        summary = Summary(REJECTED, f"{error.ref}: {error.message}{tail}", stalled=True)
    elif error.code == 409:
        message = f"{error.ref} exists and is somebody else's: {error.message}{tail}"
        summary = Summary(NAME_CONFLICT, message, reconciling=True)
    elif error.code == 404 and error.ref.kind == "HTTPRoute":
        message = f"spec.routing.provider is Gateway, but the cluster does not serve the Gateway API{tail}"
        summary = Summary("GatewayApiMissing", message, reconciling=True)
    else:
        return None
    return _told(observed, assessment, summary, scaled={})


def _job_refused(observed: Observed, spec: SentryModelSpec, error: Failure) -> Plan:
    """A Job that cannot be made is a measurement that failed: nothing is held against the revision, and nothing waits
    for it but the analysis."""
    name = error.ref.name
    jobs = {**observed.jobs, name: JobView(name=name, refused=error.message)}
    assessment = _assess(replace(observed, jobs=jobs), spec).frozen()
    told = _told(observed, assessment, summarize(observed, assessment), scaled={})
    return replace(told, requeue_after=assessment.look_again)


def target_revision(observed: Observed, spec: SentryModelSpec) -> Revision | None:
    """Gives the revision that the spec asks for, or None while something that it refers to is not there."""
    if observed.contents.missing:
        return None
    indifferent = {view.revision for view in observed.deployments.values() if not view.choosy}
    return desired_revision(
        spec, observed.config, owner=observed.owner, contents=observed.contents, indifferent=indifferent
    )


def _assess(observed: Observed, spec: SentryModelSpec) -> Assessment:
    return assess(observed, spec, target_revision(observed, spec))


def _undecided(observed: Observed, summary: Summary) -> Plan:
    status = undecided_status(observed, summary)
    return Plan(status=as_manifest(status), events=events(observed.status, status, ()))


def _unsure_of_room(assessment: Assessment) -> Manifest | None:
    """Gives the template of the pods that an Auto rollout begins with, if whether they find room would matter."""
    view, begun, target = assessment.view, assessment.decision.state, assessment.target
    begins = bool(view.state.stable) and not view.state.candidate and bool(begun.candidate)
    if not begins or view.spare is not None or target is None or begun.candidate != target.id:
        return None
    if view.spec.strategy != "Auto" or begun.strategy != "Canary":
        return None
    template: Manifest = target.deployment["spec"]["template"]
    return template


def _told(
    observed: Observed, assessment: Assessment, summary: Summary, *, scaled: Mapping[str, tuple[int, int]]
) -> Plan:
    made = changes(observed, assessment, scaled)
    status = desired_status(observed, assessment, summary, decision=last_decision(observed, made))
    return Plan(status=as_manifest(status), events=events(observed.status, status, made))


def _watched(observed: Observed, assessment: Assessment) -> Watching | None:
    """While a revision is swapped in, the pods say how far they are; nothing else would tell."""
    state, swap = assessment.decision.state, assessment.decision.swap
    if swap is None or state.strategy != "HotSwap":
        return None
    pods = [pod for pod in observed.pods.get(swap.host, ()) if pod.ready and pod.address]
    owner = observed.owner
    targets = [Target(uid=each.uid, name=each.name, revision=swap.host, address=each.address) for each in pods]
    return swaps_of(
        Subject(
            uid=owner.uid,
            namespace=owner.namespace,
            name=owner.name,
            canary=swap.host,
            stable="",
            targets=tuple(targets),
        )
    )


def _deploys(observed: Observed, assessment: Assessment, targets: Mapping[str, int]) -> bool:
    target = assessment.target
    return target is not None and (target.id in observed.deployments or targets.get(target.id, 0) > 0)


def _soonest(*moments: float | None) -> float | None:
    return min((each for each in moments if each is not None), default=None)


def _scaled(observed: Observed, targets: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    return {
        revision: (observed.replicas(revision), replicas)
        for revision, replicas in targets.items()
        if replicas != observed.replicas(revision)
    }


def _scale(observed: Observed, scaled: Mapping[str, tuple[int, int]]) -> tuple[Scale, ...]:
    """Decreases come first, so that the bound on the number of pods holds in between."""
    ordered = sorted(scaled.items(), key=lambda item: (item[1][1] > item[1][0], item[0]))
    return tuple(
        Scale(_deployment_ref(observed, revision), replicas)
        for revision, (_, replicas) in ordered
        if ("Deployment", revision_name(observed.owner.name, revision)) not in observed.strangers
    )


def _deployment_ref(observed: Observed, revision: str) -> ObjectRef:
    found = observed.deployments.get(revision)
    if found is not None:
        return found.ref
    return ObjectRef("apps/v1", "Deployment", observed.owner.namespace, revision_name(observed.owner.name, revision))


def _applied(children: tuple[Manifest, ...], observed: Observed, *, busy: bool) -> tuple[Apply, ...]:
    """What is ours is set right by force. What is not there as far as is known is not: should somebody else have an
    object of that name, the API server answers with a conflict instead of handing it over.

    A step that fails ends its pass, and a cluster may lack the Gateway API: a route is made in a pass that has nothing
    else to do (`busy`), so that it never keeps a model from being delivered.
    """
    ours = {_key(child) for child in observed.children}
    return tuple(
        Apply(
            child,
            field_manager=ROUTING_MANAGER if child["kind"] == "HTTPRoute" else WORKLOAD_MANAGER,
            force=_key(child) in ours,
        )
        for child in children
        if _key(child) not in observed.strangers
        and not (busy and child["kind"] == "HTTPRoute" and _key(child) not in ours)
    )


def _unwanted(observed: Observed, wanted: tuple[Manifest, ...]) -> tuple[Delete, ...]:
    kept = {_key(child) for child in wanted}
    return tuple(
        Delete(ObjectRef.of(child, pinned=True))
        for child in observed.children
        if child["kind"] in _PRUNED and _key(child) not in kept and not child["metadata"].get("deletionTimestamp")
    )


def _key(child: Manifest) -> tuple[str, str]:
    return child["kind"], child["metadata"]["name"]
