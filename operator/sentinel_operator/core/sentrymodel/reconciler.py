"""The SentryModel controller: raw objects in, a plan out. Pure; what it remembers only saves work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from sentinel_operator.api.kinds import SENTRY_MODEL, Kind
from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.api.sentrymodel import SentryModelSpec
from sentinel_operator.core.admission.sentrymodel import read
from sentinel_operator.core.gpu.join import pod_gpus
from sentinel_operator.core.names import Owner
from sentinel_operator.core.outside import NOTHING, Outside
from sentinel_operator.core.parsing import REMEMBERED, ParsedSpecs
from sentinel_operator.core.plan import Failure, Manifest, ObjectRef, Plan
from sentinel_operator.core.reconciler import PODS, READ, ChildKind
from sentinel_operator.core.sentrymodel.dataplane import observe_data_plane
from sentinel_operator.core.sentrymodel.jobs import observe_jobs
from sentinel_operator.core.sentrymodel.observe import (
    ENDPOINT_SLICE,
    Observed,
    ending_pods,
    observe_children,
    observe_deployments,
    observe_pods,
    observe_status,
)
from sentinel_operator.core.sentrymodel.references import Contents, config_maps, contents, reference, secrets
from sentinel_operator.core.sentrymodel.steps import plan_for, plan_for_failure

CHILDREN: tuple[ChildKind, ...] = (
    ChildKind("apps/v1", "Deployment", "deployments", scalable=True),
    ChildKind("batch/v1", "Job", "jobs"),
    ChildKind("v1", "ConfigMap", "configmaps"),
    ChildKind("v1", "Service", "services"),
    ChildKind("v1", "ServiceAccount", "serviceaccounts"),
    ChildKind("rbac.authorization.k8s.io/v1", "Role", "roles"),
    ChildKind("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings"),
    ChildKind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    ChildKind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    ChildKind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    ChildKind("discovery.k8s.io/v1", "EndpointSlice", "endpointslices", verbs=READ),
    ChildKind("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes", optional=True),
    replace(PODS, evictable=True),
)


class SentryModelReconciler:
    """Decides for SentryModels. Not safe for threads; as many workers of one event loop as you like."""

    def __init__(self, *, remembered: int = REMEMBERED) -> None:
        self._parsed = ParsedSpecs(read, remembered=remembered)

    @property
    def kind(self) -> Kind:
        """The kind that this reconciler is for."""
        return SENTRY_MODEL

    @property
    def children(self) -> tuple[ChildKind, ...]:
        """Everything it may create, watch or read as a child."""
        return CHILDREN

    def references(self, raw: Manifest) -> tuple[ObjectRef, ...]:
        """Names the ConfigMaps that become part of the revision; none while the spec does not validate."""
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
        owner = Owner(
            SENTRY_MODEL.api_version, SENTRY_MODEL.kind, metadata["namespace"], metadata["name"], metadata["uid"]
        )
        own, strangers = observe_children(owner, children)
        kept = observe_pods(owner, pods, field_of=lambda name: _field_of(parsed.spec, name))
        return Observed(
            owner=owner,
            generation=int(metadata.get("generation") or 0),
            deleting=bool(metadata.get("deletionTimestamp")),
            spec=parsed.spec,
            problem=parsed.problem,
            status=observe_status(raw),
            contents=contents(parsed.spec, namespace=owner.namespace, found=references) if parsed.spec else Contents(),
            config=config,
            deployments=observe_deployments(own),
            pods=kept,
            gpus=pod_gpus((pod.raw for each in kept.values() for pod in each), outside.nodes, now=now),
            gpus_left=pod_gpus(ending_pods(owner, pods), outside.nodes, now=now),
            data_plane=observe_data_plane(
                owner,
                own,
                (child for child in children if child["kind"] == ENDPOINT_SLICE),
                provider=parsed.spec.routing.provider if parsed.spec else "Service",
            ),
            children=own,
            strangers=strangers,
            jobs=observe_jobs(own, pods),
            outside=outside,
            now=now,
        )

    def plan(self, observed: Observed) -> Plan:
        """Decides what to do about it."""
        return plan_for(observed)

    def on_error(self, observed: Observed, error: Failure) -> Plan | None:
        """Says what the status and the events should tell when a step failed."""
        return plan_for_failure(observed, error)


def _field_of(spec: SentryModelSpec | None, name: str) -> str:
    """Gives the field that names a Secret or a ConfigMap; what the user's own env names is theirs to find."""
    for mention in (*secrets(spec), *config_maps(spec)) if spec is not None else ():
        if mention.name == name:
            return mention.field
    return "spec.pod.env"
