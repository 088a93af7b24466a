"""The status of a model, as a function of what is observed: equal observations give equal bytes."""

from __future__ import annotations

from sentinel_operator.api.conditions import READY, RECONCILING, STALLED, Condition, Decision
from sentinel_operator.api.sentrymodel import RevisionStatus, RolloutStatus, SentryModelStatus
from sentinel_operator.core.conditions import Finding, conditions, standing
from sentinel_operator.core.names import as_selector
from sentinel_operator.core.rollout.dataplane import observed_weight
from sentinel_operator.core.rollout.record import progress
from sentinel_operator.core.sentrymodel.assess import Assessment, known_as
from sentinel_operator.core.sentrymodel.gpus import gpu_findings, gpu_status
from sentinel_operator.core.sentrymodel.history import history
from sentinel_operator.core.sentrymodel.network import url
from sentinel_operator.core.sentrymodel.observe import Observed
from sentinel_operator.core.sentrymodel.summary import Summary, phase_of, total_ready
from sentinel_operator.core.sentrymodel.verification import verification_findings, verification_status, verified

AVAILABLE = "Available"


def desired_status(
    observed: Observed, assessment: Assessment, summary: Summary, *, decision: Decision | None
) -> SentryModelStatus:
    """Gives the whole status. The time of the pass is in it only where something changed."""
    findings = (
        *standing(summary),
        _available(observed, assessment.wanted),
        *verification_findings(observed, assessment),
        *gpu_findings(observed, assessment.spec),
    )
    candidate = assessment.candidate
    return SentryModelStatus(
        observed_generation=observed.generation,
        phase=phase_of(summary, observed, assessment),
        stable=_revision_status(observed, assessment, assessment.stable) if assessment.stable else None,
        canary=_revision_status(observed, assessment, candidate) if candidate else None,
        revisions=history(observed, assessment) or None,
        rollout=_rollout(assessment),
        url=url(assessment.spec, owner=observed.owner),
        replicas=_serving_pods(observed, assessment.host_of(assessment.stable)),
        ready_replicas=total_ready(observed),
        selector=as_selector(observed.owner.selector),
        verification=verification_status(observed, assessment),
        gpu=gpu_status(observed.gpus),
        last_decision=decision,
        conditions=conditions(findings, previous=_previous(observed), generation=observed.generation, now=observed.now),
    )


def undecided_status(observed: Observed, summary: Summary) -> SentryModelStatus:
    """Gives the status of a model whose spec cannot be understood: what was known stays, what serves is counted."""
    before = observed.status or SentryModelStatus()
    stable = before.stable.revision if before.stable else ""
    kept = [
        Finding(each.type, each.status, each.reason, each.message)
        for each in before.conditions or ()
        if each.type not in {READY, RECONCILING, STALLED, AVAILABLE}
    ]
    return before.model_copy(
        update={
            "observed_generation": observed.generation,
            "phase": phase_of(summary, observed, None),
            "replicas": _serving_pods(observed, stable),
            "ready_replicas": total_ready(observed),
            "conditions": conditions(
                (*standing(summary), _available(observed, 1), *kept),
                previous=_previous(observed),
                generation=observed.generation,
                now=observed.now,
            ),
        }
    )


def _available(observed: Observed, wanted: int) -> Finding:
    ready = total_ready(observed)
    if ready > 0:
        return Finding(AVAILABLE, "True", "Serving", "requests are answered")
    return Finding(AVAILABLE, "False", "NoReadyPods" if wanted else "ScaledToZero", "no pod is ready")


def _previous(observed: Observed) -> tuple[Condition, ...]:
    return tuple(observed.status.conditions or ()) if observed.status is not None else ()


def _revision_status(observed: Observed, assessment: Assessment, revision: str) -> RevisionStatus:
    host = assessment.host_of(revision)
    told = verified(observed, assessment, revision)
    known = known_as(observed, assessment, revision)
    declared = known.model_digest if known is not None else ""
    return RevisionStatus(
        revision=revision,
        version=known.version if known is not None else "",
        model_digest=declared or (told.digest if told is not None else ""),
        image_digest=_image_digest(observed, host, revision),
        config_digest=known.config_digest if known is not None else "",
        ready_replicas=observed.ready(host),
        weight=_weight(assessment, revision),
    )


def _weight(assessment: Assessment, revision: str) -> int:
    """Gives the percent of the requests that a revision is observed to get."""
    decision, view = assessment.decision, assessment.view
    if view.state.strategy != "HotSwap":
        return observed_weight(view, assessment.host_of(revision))
    # The routing does not change: the pods that have swapped answer with the one, the rest with the other.
    return decision.weight if revision == view.state.candidate else 100 - decision.weight


def _image_digest(observed: Observed, host: str, revision: str) -> str:
    """Nodes may report different digests of one image (one a platform); a known one is kept while it is true."""
    status = observed.status
    known = {each.revision: each.image_digest for each in (status.stable, status.canary) if each} if status else {}
    found = {pod.image_digest for pod in observed.pods.get(host, ()) if pod.image_digest}
    return (
        known[revision] if known.get(revision) and (not found or known[revision] in found) else min(found, default="")
    )


def _rollout(assessment: Assessment) -> RolloutStatus | None:
    told = progress(assessment.decision)
    if not (told.stable or told.candidate):
        return None
    return RolloutStatus(**told.model_dump(by_alias=False), analysis=assessment.analysis)


def _serving_pods(observed: Observed, stable: str) -> int:
    serving = {stable, *(revision for revision in observed.pods if observed.ready(revision) > 0)}
    return sum(len(observed.pods.get(revision, ())) for revision in serving)
