"""Which revisions were, what became of each, and which of them are kept."""

from __future__ import annotations

from sentinel_operator.api.sentrymodel import RevisionRecord
from sentinel_operator.core.conditions import rfc3339
from sentinel_operator.core.plan import Delete, ObjectRef
from sentinel_operator.core.sentrymodel.assess import Assessment, known_as, record_of
from sentinel_operator.core.sentrymodel.memory import judged
from sentinel_operator.core.sentrymodel.observe import DeploymentView, Observed
from sentinel_operator.core.sentrymodel.revision import revision_of

REMEMBERED = 64
_BARRED = frozenset({"Rejected", "Aborted"})


def history(observed: Observed, assessment: Assessment) -> list[RevisionRecord]:
    """Gives one record for each revision that is kept, and for those that must not come back, the newest first."""
    gone = {view.revision for view in _expired(observed, assessment)}
    before = (observed.status.revisions or ()) if observed.status is not None else ()
    barred = {record.revision for record in before if record.verdict in _BARRED}
    found = {record.revision: record for record in assessment.decision.records}
    revisions = (
        ({*observed.deployments} - gone) | _swapped_in(observed, assessment) | _current(assessment) | barred | {*found}
    )
    records = []
    for revision in revisions:
        record = _record(observed, assessment, revision)
        records.append(judged(record, found[revision]) if revision in found else record)
    return sorted(records, key=lambda record: (record.created_at, record.revision), reverse=True)[:REMEMBERED]


def expired_objects(observed: Observed, assessment: Assessment) -> tuple[Delete, ...]:
    """Gives the objects of revisions that no one can go back to any more: those beyond the limit of the history, and
    configuration that has lost its Deployment. What has pods is never among them."""
    if assessment.target is None:  # it may be one of them
        return ()
    gone = {view.revision for view in _expired(observed, assessment)}
    kept = ({*observed.deployments} - gone) | _swapped_in(observed, assessment) | _current(assessment)
    return tuple(
        Delete(ObjectRef.of(child, pinned=True))
        for child in observed.children
        if child["kind"] in {"Deployment", "ConfigMap"}
        and not child["metadata"].get("deletionTimestamp")
        and revision_of(child) not in kept
    )


def _swapped_in(observed: Observed, assessment: Assessment) -> set[str]:
    """Names the newest revisions that have served without a Deployment of their own: there is a way back to them as
    long as their configuration is there, and pods that can load it."""
    before = (observed.status.revisions or ()) if observed.status is not None else ()
    served = [each for each in before if each.verdict == "Promoted" and each.revision in assessment.view.loadable]
    alone = [each for each in served if each.revision not in observed.deployments]
    alone.sort(key=lambda each: (each.promoted_at, each.revision), reverse=True)
    return {each.revision for each in alone[: assessment.spec.rollout.revision_history_limit]}


def _current(assessment: Assessment) -> set[str]:
    target, state = assessment.target, assessment.decision.state
    named = (state.stable, state.host, state.candidate, target.id if target is not None else "")
    return {revision for revision in named if revision}


def _expired(observed: Observed, assessment: Assessment) -> list[DeploymentView]:
    if assessment.target is None:
        return []
    current = _current(assessment)
    former = [view for view in observed.deployments.values() if view.revision not in current]
    former.sort(key=lambda view: (view.created_at, view.revision), reverse=True)
    beyond = former[assessment.spec.rollout.revision_history_limit :]
    return [view for view in beyond if view.replicas == 0 and not observed.pods.get(view.revision)]


def _record(observed: Observed, assessment: Assessment, revision: str) -> RevisionRecord:
    before = record_of(observed, revision)
    found, known = observed.deployments.get(revision), known_as(observed, assessment, revision)
    created = (before.created_at if before is not None else "") or (found.created_at if found is not None else "")
    told = {
        "version": known.version if known is not None else before.version if before is not None else "",
        "model_digest": known.model_digest if known is not None else before.model_digest if before is not None else "",
        "created_at": created or rfc3339(observed.now),
    }
    return (before or RevisionRecord(revision=revision)).model_copy(update=told)
