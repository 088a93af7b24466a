"""The gate that a delivery waits at: what it is asked, and what it is told of the delivery."""

from __future__ import annotations

from datetime import UTC, datetime

from sentinel_operator.core.conditions import rfc3339
from sentinel_operator.core.plan import Asking, Manifest
from sentinel_operator.core.rollout.decision import Decision
from sentinel_operator.core.sentrymodel.assess import Assessment, known_as
from sentinel_operator.core.sentrymodel.observe import Observed


def asking(observed: Observed, assessment: Assessment) -> Asking | None:
    """Gives the question of the gate that is wanted now. It is the same in every pass of one wait."""
    decision, owner = assessment.decision, observed.owner
    if decision.gate is None:
        return None
    return Asking(
        uid=owner.uid,
        namespace=owner.namespace,
        name=owner.name,
        key=decision.gate.key,
        url=decision.gate.gate.webhook.url,
        body={
            "apiVersion": owner.api_version,
            "kind": owner.kind,
            "namespace": owner.namespace,
            "name": owner.name,
            "uid": owner.uid,
            "key": decision.gate.key,
            **_place(decision, decision.gate.since),
            "candidate": _revision(observed, assessment, decision.gate.revision),
            "stable": _revision(observed, assessment, decision.state.stable),
        },
    )


def _place(decision: Decision, since: float) -> Manifest:
    state = decision.state
    return {
        "step": state.step,
        "attempt": state.attempt,
        "strategy": state.strategy,
        "weight": decision.weight_wanted,
        "since": rfc3339(datetime.fromtimestamp(since, UTC)),
    }


def _revision(observed: Observed, assessment: Assessment, revision: str) -> Manifest:
    known = known_as(observed, assessment, revision)
    return {
        "revision": revision,
        "version": known.version if known is not None else "",
        "modelDigest": known.model_digest if known is not None else "",
    }
