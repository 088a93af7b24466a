"""The ScanJob controller: raw objects in, a plan out. Pure; what it remembers only saves work."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sentinel_operator.api.kinds import SCAN_JOB, Kind
from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.core.admission.scanjob import read
from sentinel_operator.core.names import REQUESTED_BY, Owner
from sentinel_operator.core.outside import NOTHING, Outside
from sentinel_operator.core.parsing import REMEMBERED, ParsedSpecs
from sentinel_operator.core.plan import Failure, Manifest, ObjectRef, Plan
from sentinel_operator.core.pods.mentions import Contents, reference, snapshot
from sentinel_operator.core.reconciler import PODS, ChildKind
from sentinel_operator.core.scanjob.observe import Observed, observe_children, observe_jobs, observe_status
from sentinel_operator.core.scanjob.references import config_maps, secrets
from sentinel_operator.core.scanjob.steps import plan_for, plan_for_failure

CHILDREN: tuple[ChildKind, ...] = (
    ChildKind("batch/v1", "Job", "jobs"),
    ChildKind("v1", "ConfigMap", "configmaps"),
    ChildKind("v1", "ServiceAccount", "serviceaccounts"),
    ChildKind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    PODS,
)


class ScanJobReconciler:
    """Decides for ScanJobs. Not safe for threads; as many workers of one event loop as you like."""

    def __init__(self, *, remembered: int = REMEMBERED) -> None:
        self._parsed = ParsedSpecs(read, remembered=remembered)

    @property
    def kind(self) -> Kind:
        """The kind that this reconciler is for."""
        return SCAN_JOB

    @property
    def children(self) -> tuple[ChildKind, ...]:
        """Everything it may create, watch or read as a child."""
        return CHILDREN

    def references(self, raw: Manifest) -> tuple[ObjectRef, ...]:
        """Names the ConfigMaps that are copied for the pods; none while the spec does not validate."""
        spec = self._parsed.of(raw).spec
        if spec is None:
            return ()
        namespace = raw["metadata"]["namespace"]
        return tuple(dict.fromkeys(reference(namespace, mention.name) for mention in config_maps(spec)))

    def observe(
        self,
        raw: Manifest,
        children: tuple[Manifest, ...],
        pods: tuple[Manifest, ...],
        references: Mapping[ObjectRef, Manifest | None],
        config: SentinelConfigSpec,
        now: datetime,
        outside: Outside = NOTHING,
    ) -> Observed:
        """Freezes what is known into one value; an object that does not validate is an observation, not an error."""
        parsed, metadata = self._parsed.of(raw), raw["metadata"]
        owner = Owner(SCAN_JOB.api_version, SCAN_JOB.kind, metadata["namespace"], metadata["name"], metadata["uid"])
        spec, namespace = parsed.spec, owner.namespace
        own, strangers = observe_children(owner, children)
        mentions = (*secrets(spec), *config_maps(spec)) if spec is not None else ()
        fields = {mention.name: mention.field for mention in reversed(mentions)}
        return Observed(
            owner=owner,
            generation=int(metadata.get("generation") or 0),
            deleting=bool(metadata.get("deletionTimestamp")),
            managed_by=_managed_by(raw),
            spec=spec,
            problem=parsed.problem,
            requested_by=str((metadata.get("annotations") or {}).get(REQUESTED_BY) or ""),
            created_at=str(metadata.get("creationTimestamp") or ""),
            status=observe_status(raw),
            contents=snapshot(config_maps(spec), namespace=namespace, found=references) if spec else Contents(),
            config=config,
            jobs=observe_jobs(owner, own, pods, field_of=lambda name: fields.get(name, "spec.pod.env")),
            children=frozenset((child["kind"], child["metadata"]["name"]) for child in own),
            strangers=strangers,
            outside=outside,
            now=now,
        )

    def plan(self, observed: Observed) -> Plan:
        """Decides what to do about it."""
        return plan_for(observed)

    def on_error(self, observed: Observed, error: Failure) -> Plan | None:
        """Says what the status and the events should tell when a step failed."""
        return plan_for_failure(observed, error)


def _managed_by(raw: Manifest) -> str:
    """What is somebody else's is so whether or not the rest of the spec makes sense to us."""
    spec = raw.get("spec")
    given = spec.get("managedBy") if isinstance(spec, dict) else None
    return given if isinstance(given, str) else ""
