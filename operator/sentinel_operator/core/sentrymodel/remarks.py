"""What a person has to know beside the one sentence: what was said and does nothing, and who refuses to take part."""

from __future__ import annotations

from collections.abc import Iterator

from sentinel_operator.api.rollout import RolloutSpec
from sentinel_operator.core.sentrymodel.assess import Assessment
from sentinel_operator.core.sentrymodel.observe import Observed


def remarks(observed: Observed, assessment: Assessment) -> str:
    """Gives them as a tail for a message; empty where there is nothing to remark."""
    found = (*_unheard(assessment), *observed.data_plane.refusals)
    return "".join(f"; {each}" for each in found)


def _unheard(assessment: Assessment) -> Iterator[str]:
    """A verb that a mistake has given a revision that never was. One for a former revision is left in peace: what lies
    in Git was true once."""
    view = assessment.view
    known = {view.target, view.state.base, view.state.candidate, *view.revisions}
    known |= {record.revision for record in view.history}
    for field, revision in _named(assessment.spec.rollout):
        if revision not in known:
            yield f"spec.rollout.{field} names revision {revision}, which is none of status.revisions: it does nothing"


def _named(rollout: RolloutSpec) -> Iterator[tuple[str, str]]:
    """Gives the verb, by field, with the revision that it is said for."""
    if rollout.promote is not None:
        yield "promote", rollout.promote.revision
    if rollout.paused is not None:
        yield "paused", rollout.paused
    if rollout.abort is not None:
        yield "abort", rollout.abort
    if rollout.retry is not None:
        yield "retry", rollout.retry.revision
    if rollout.rollback_to is not None:
        yield "rollbackTo", rollout.rollback_to.instead_of
