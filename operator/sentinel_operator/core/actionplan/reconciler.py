"""The ActionPlan controller: judges, records, does, verifies and takes back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from sentinel_operator.api.actionstatus import ACTING, FINISHED
from sentinel_operator.api.kinds import ACTION_PLAN, SENTRY_MODEL, Kind
from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.core.actionplan.course import course
from sentinel_operator.core.actionplan.drive import changed, failed
from sentinel_operator.core.actionplan.life import step
from sentinel_operator.core.actionplan.observe import Specs, observe
from sentinel_operator.core.actionplan.observed import Observed
from sentinel_operator.core.actionplan.step import Step, ended, records, replaced, stay
from sentinel_operator.core.admission.actionplan import read
from sentinel_operator.core.outside import NOTHING, Outside
from sentinel_operator.core.parsing import ParsedSpecs
from sentinel_operator.core.plan import Failure, Manifest, ObjectRef, Plan
from sentinel_operator.core.reconciler import PODS, ChildKind

_UNDER_WAY = 512
"""Plans at once of which the spec is kept as it was read; of those that are over nobody asks for it."""
INVALID_SPEC = "InvalidSpec"
_LOOK = ("get", "list")
_CHANGE = (*_LOOK, "patch")


class ActionPlanReconciler:
    """Decides what becomes of plans. Exactly once in effect: what is done was recorded, in absolute values, before.
    Not safe for threads; as many workers of one event loop as you like."""

    def __init__(self) -> None:
        self._specs: Specs = ParsedSpecs(read, remembered=_UNDER_WAY)

    @property
    def kind(self) -> Kind:
        """The kind that this reconciler is for."""
        return ACTION_PLAN

    @property
    def children(self) -> tuple[ChildKind, ...]:
        """Everything it may read or change; it makes nothing."""
        return (
            replace(PODS, verbs=_LOOK, evictable=True, watched=False),
            _changed(SENTRY_MODEL.api_version, SENTRY_MODEL.kind, SENTRY_MODEL.plural),
            _changed("apps/v1", "Deployment", "deployments"),
            _changed("apps/v1", "StatefulSet", "statefulsets"),
            _read("apps/v1", "ReplicaSet", "replicasets"),
            _read("apps/v1", "ControllerRevision", "controllerrevisions"),
            _read("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
            ChildKind("v1", "Node", "nodes", verbs=_CHANGE, namespaced=False, watched=False),
        )

    def references(self, raw: Manifest) -> tuple[ObjectRef, ...]:  # noqa: ARG002 - the Protocol's
        """Names what has to be read before the pass: nothing; targets are in `outside.plan`, read afresh."""
        return ()

    def observe(
        self,
        raw: Manifest,
        children: tuple[Manifest, ...],  # noqa: ARG002 - the Protocol's
        pods: tuple[Manifest, ...],  # noqa: ARG002
        references: Mapping[ObjectRef, Manifest | None],  # noqa: ARG002
        config: SentinelConfigSpec,
        now: datetime,
        outside: Outside = NOTHING,
    ) -> Observed:
        """Freezes what is known into one value."""
        return observe(raw, config, now, outside, specs=self._specs)

    def plan(self, observed: Observed) -> Plan:
        """Decides the next steps. What is finished costs nothing."""
        if observed.deleting or _is_settled(observed):
            return Plan()
        return course(observed, step if observed.spec is not None else _not_understood)

    def on_error(self, observed: Observed, error: Failure) -> Plan | None:
        """Says what becomes of a decision whose request the API server refused for good."""
        if not error.terminal or observed.spec is None or observed.deleting:
            return None
        about = next((each for each in records(observed).values() if each.state in ("Executing", "Undoing")), None)
        if about is None:
            return None
        message = f"{error.ref}: {error.message}"
        if about.state == "Undoing":
            over = failed(observed, about, f"could not be taken back: {message}", state="UndoFailed")
        else:
            over = failed(observed, about, message)
            over = over if over.acted_at else changed(over, intents=None)
        failure = observed.status.failure or f"{about.id}: {message}"
        refused = stay(observed, over.message, again=0.0, decisions=replaced(observed, over), failure=failure[:1024])
        return course(observed, lambda _: refused)


def _read(api_version: str, kind: str, plural: str) -> ChildKind:
    return ChildKind(api_version, kind, plural, verbs=_LOOK, watched=False)


def _changed(api_version: str, kind: str, plural: str) -> ChildKind:
    return ChildKind(api_version, kind, plural, verbs=_CHANGE, scalable=True, watched=False)


def _is_settled(observed: Observed) -> bool:
    return observed.status.state in FINISHED and observed.status.observed_generation == observed.generation


def _not_understood(observed: Observed) -> Step:
    """A plan in the middle of its change stays there: what was done is not forgotten because a field is not known."""
    if observed.status.state in ACTING:
        return stay(observed, observed.problem, again=None, reason=INVALID_SPEC)
    if observed.status.state in FINISHED:
        return Step(status=observed.status)
    return ended(observed, "Rejected", observed.problem, reason=INVALID_SPEC)
