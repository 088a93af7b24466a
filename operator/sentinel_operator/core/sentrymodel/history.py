"""Which revisions were, what became of each, and which of them are kept."""

from __future__ import annotations

from typing import Literal

from sentinel_operator.api.sentrymodel import RevisionRecord
from sentinel_operator.core.conditions import rfc3339, truncated
from sentinel_operator.core.plan import Delete, ObjectRef
from sentinel_operator.core.sentrymodel.assess import Assessment, record_of
from sentinel_operator.core.sentrymodel.observe import DeploymentView, Observed
from sentinel_operator.core.sentrymodel.revision import revision_of

Verdict = Literal["Pending", "Promoted", "Failed", "Superseded"]


def history(observed: Observed, assessment: Assessment) -> list[RevisionRecord]:
    """Gives one record for each revision that is kept, the newest first."""
    gone = {view.revision for view in _expired(observed, assessment)}
    revisions = {*observed.deployments, *_current(assessment)} - gone
    records = [_record(observed, assessment, revision) for revision in revisions]
    return sorted(records, key=lambda record: (record.created_at, record.revision), reverse=True)


def expired_objects(observed: Observed, assessment: Assessment) -> tuple[Delete, ...]:
    """Gives the objects of revisions that no one can go back to any more: those beyond the limit of the history, and
    configuration that has lost its Deployment. What has pods is never among them."""
    if assessment.target is None:  # it may be one of them
        return ()
    gone = {view.revision for view in _expired(observed, assessment)}
    kept = ({*observed.deployments} - gone) | _current(assessment)
    return tuple(
        Delete(ObjectRef.of(child, pinned=True))
        for child in observed.children
        if child["kind"] in {"Deployment", "ConfigMap"}
        and not child["metadata"].get("deletionTimestamp")
        and revision_of(child) not in kept
    )


def _current(assessment: Assessment) -> set[str]:
    target = assessment.target
    return {revision for revision in (assessment.stable, target.id if target is not None else "") if revision}


def _expired(observed: Observed, assessment: Assessment) -> list[DeploymentView]:
    if assessment.target is None:
        return []
    current = _current(assessment)
    former = [view for view in observed.deployments.values() if view.revision not in current]
    former.sort(key=lambda view: (view.created_at, view.revision), reverse=True)
    beyond = former[assessment.spec.rollout.revision_history_limit :]
    return [view for view in beyond if view.replicas == 0 and not observed.pods.get(view.revision)]


def _record(observed: Observed, assessment: Assessment, revision: str) -> RevisionRecord:
    target, found, before = assessment.target, observed.deployments.get(revision), record_of(observed, revision)
    known = target if target is not None and target.id == revision else found
    verdict, message = _verdict(assessment, revision, before)
    created = (before.created_at if before is not None else "") or (found.created_at if found is not None else "")
    return RevisionRecord(
        revision=revision,
        version=known.version if known is not None else "",
        model_digest=known.model_digest if known is not None else "",
        created_at=created or rfc3339(observed.now),
        verdict=verdict,
        message=message,
    )


def _verdict(assessment: Assessment, revision: str, before: RevisionRecord | None) -> tuple[Verdict, str]:
    if revision == assessment.stable:
        return "Promoted", ""
    target, failure = assessment.target, assessment.failure
    if target is not None and revision == target.id:
        return ("Failed", truncated(f"{failure.reason}: {failure.message}")) if failure is not None else ("Pending", "")
    if before is None:
        return "Superseded", ""
    if before.verdict == "Failed" or target is None:
        return before.verdict, before.message
    return "Superseded", ""
