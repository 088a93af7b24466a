"""The SentinelConfig controller: it makes nothing, and tells whether the operator works by the settings. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sentinel_operator.api.kinds import SENTINEL_CONFIG, Kind
from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.core.admission.sentinelconfig import read
from sentinel_operator.core.admission.verdict import Verdict
from sentinel_operator.core.outside import NOTHING, Outside
from sentinel_operator.core.plan import Failure, Manifest, ObjectRef, Plan
from sentinel_operator.core.reconciler import ChildKind
from sentinel_operator.core.sentinelconfig.status import Observed, as_manifest, desired_status, events, observe_status

_LOOK_AGAIN_SECONDS = 5.0


class SentinelConfigReconciler:
    """Tells of settings what became of them; they themselves reach the other reconcilers without it."""

    @property
    def kind(self) -> Kind:
        """The kind that this reconciler is for."""
        return SENTINEL_CONFIG

    @property
    def children(self) -> tuple[ChildKind, ...]:
        """Everything it may create, watch or read as a child: nothing."""
        return ()

    def references(self, raw: Manifest) -> tuple[ObjectRef, ...]:  # noqa: ARG002 - the Protocol's
        """Names what has to be read before the pass: nothing."""
        return ()

    def observe(
        self,
        raw: Manifest,
        children: tuple[Manifest, ...],  # noqa: ARG002 - the Protocol's
        pods: tuple[Manifest, ...],  # noqa: ARG002
        references: Mapping[ObjectRef, Manifest | None],  # noqa: ARG002
        config: SentinelConfigSpec,
        now: datetime,
        outside: Outside = NOTHING,  # noqa: ARG002
    ) -> Observed:
        """Freezes what is known into one value; `config` is what the operator works by at this moment."""
        spec, errors = read(raw)
        metadata = raw["metadata"]
        return Observed(
            generation=int(metadata.get("generation") or 0),
            deleting=bool(metadata.get("deletionTimestamp")),
            problem=Verdict(errors=errors).message,
            in_force=not errors and spec == config,
            status=observe_status(raw),
            now=now,
        )

    def plan(self, observed: Observed) -> Plan:
        """Decides what to tell. Settings that are still on their way are told of when they have arrived: a pass
        follows by itself then, and until then `observedGeneration` says that this generation is not in force."""
        if observed.deleting:
            return Plan()
        if not observed.problem and not observed.in_force:
            return Plan(requeue_after=_LOOK_AGAIN_SECONDS)
        status = desired_status(observed)
        return Plan(status=as_manifest(status), events=events(observed.status, status))

    def on_error(self, observed: Observed, error: Failure) -> Plan | None:  # noqa: ARG002 - the Protocol's
        """Says nothing: there is no step that could fail."""
        return None
