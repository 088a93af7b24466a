"""Raw objects in, one frozen value out: what a pass knows of a model, its revisions and its pods."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from sentinel_operator.api.active import ACTIVE_FILE, ActiveConfig
from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.api.sentrymodel import SentryModelSpec, SentryModelStatus
from sentinel_operator.api.serving import Termination, Verification
from sentinel_operator.core.conditions import parse_time
from sentinel_operator.core.gpu.join import PodGpu
from sentinel_operator.core.gpu.preference import prefers_healthy_gpus
from sentinel_operator.core.names import Owner, controller_uid
from sentinel_operator.core.outside import NOTHING, Outside
from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.core.sentrymodel.dataplane import DataPlane
from sentinel_operator.core.sentrymodel.deployment import (
    CONFIG_DIGEST_ANNOTATION,
    MODEL_DIGEST_ANNOTATION,
    PROCESS_DIGEST_ANNOTATION,
    VERSION_ANNOTATION,
)
from sentinel_operator.core.sentrymodel.faults import Fault, FieldOf, pod_fault, quoted
from sentinel_operator.core.sentrymodel.jobs import JobView
from sentinel_operator.core.sentrymodel.references import Contents
from sentinel_operator.core.sentrymodel.revision import SNAPSHOT, active_name, revision_of
from sentinel_operator.core.sentrymodel.volumes import FETCH, FOLLOW, SERVER

ENDPOINT_SLICE = "EndpointSlice"
COMPONENT_LABEL = "app.kubernetes.io/component"


@dataclass(frozen=True, slots=True, kw_only=True)
class PodView:
    """One pod that is not on its way out."""

    name: str
    revision: str
    ready: bool
    uid: str = ""
    address: str = ""
    """Its IP address, empty before it has one."""
    raw: Manifest = field(default_factory=dict, repr=False)
    fault: Fault | None = None
    verification: Verification | None = None
    image_digest: str = ""
    mounting_since: datetime | None = None
    """Since when it has a node, but not its volumes; None when that is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentView:
    """The Deployment of one revision, and what its annotations tell of it."""

    ref: ObjectRef
    revision: str
    replicas: int
    created_at: str
    version: str = ""
    model_digest: str = ""
    config_digest: str = ""
    process_digest: str = ""
    follows: bool = False
    """Its pods watch a ConfigMap that tells them what to serve."""
    choosy: bool = False
    """Its pods prefer nodes whose GPUs are well."""
    fault: Fault | None = None
    """Why its pods cannot even be created: a quota, an admission policy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything that a pass decides from. `spec` is None when it does not validate; `problem` then says why."""

    owner: Owner
    generation: int
    deleting: bool
    spec: SentryModelSpec | None
    problem: str
    status: SentryModelStatus | None
    contents: Contents
    config: SentinelConfigSpec
    deployments: Mapping[str, DeploymentView] = field(default_factory=dict)
    pods: Mapping[str, tuple[PodView, ...]] = field(default_factory=dict)
    data_plane: DataPlane = field(default_factory=DataPlane)
    children: tuple[Manifest, ...] = ()
    """Every object that the model controls, raw."""
    strangers: frozenset[tuple[str, str]] = frozenset()
    """Kind and name of objects with the model's labels that somebody else controls."""
    jobs: Mapping[str, JobView] = field(default_factory=dict)
    """Those that measure, by name."""
    outside: Outside = NOTHING
    gpus: tuple[PodGpu, ...] = ()
    """Those that the pods are on, as far as their nodes tell."""
    gpus_left: tuple[PodGpu, ...] = ()
    """Those that pods are still on which are being deleted."""
    now: datetime

    def ready(self, revision: str) -> int:
        """Counts the ready pods of a revision."""
        return sum(pod.ready for pod in self.pods.get(revision, ()))

    def replicas(self, revision: str) -> int:
        """Counts the pods that the revision's Deployment asks for."""
        found = self.deployments.get(revision)
        return found.replicas if found is not None else 0

    @property
    def scaled_by_autoscaler(self) -> str:
        """Names the Deployment that an existing autoscaler scales, or gives an empty string."""
        for child in self.children:
            if child["kind"] == "HorizontalPodAutoscaler":
                return str(child["spec"]["scaleTargetRef"]["name"])
        return ""


def observe_children(
    owner: Owner, children: tuple[Manifest, ...]
) -> tuple[tuple[Manifest, ...], frozenset[tuple[str, str]]]:
    """Parts the model's own children from what merely looks like them."""
    own = tuple(child for child in children if owner.owns(child))
    strangers = frozenset(
        (child["kind"], child["metadata"]["name"])
        for child in children
        if controller_uid(child) not in {"", owner.uid} and child["kind"] != ENDPOINT_SLICE
    )
    return own, strangers


def observe_deployments(children: tuple[Manifest, ...]) -> dict[str, DeploymentView]:
    """Gives the Deployments by revision; one that is being deleted is gone."""
    views = (
        _deployment(child)
        for child in children
        if child["kind"] == "Deployment" and not child["metadata"].get("deletionTimestamp")
    )
    return {view.revision: view for view in views}


def observe_pods(owner: Owner, pods: tuple[Manifest, ...], *, field_of: FieldOf) -> dict[str, tuple[PodView, ...]]:
    """Gives the pods by revision. Those that ended, or are being deleted, or no ReplicaSet of ours keeps, are left
    out: they serve nobody, or not for us."""
    found: dict[str, list[PodView]] = defaultdict(list)
    for pod in pods:
        phase = (pod.get("status") or {}).get("phase")
        if pod["metadata"].get("deletionTimestamp") or phase in {"Failed", "Succeeded"} or not _kept(pod, owner):
            continue
        view = _pod(pod, field_of)
        found[view.revision].append(view)
    return {revision: tuple(views) for revision, views in found.items()}


def ending_pods(owner: Owner, pods: tuple[Manifest, ...]) -> Iterator[Manifest]:
    """Yields the pods of ours that are being deleted, and are not gone."""
    return (pod for pod in pods if pod["metadata"].get("deletionTimestamp") and _kept(pod, owner))


def snapshots(observed: Observed) -> dict[str, str]:
    """Gives the process digest of each revision whose configuration is kept."""
    found = {}
    for child in observed.children:
        metadata = child["metadata"]
        if child["kind"] == "ConfigMap" and (metadata.get("labels") or {}).get(COMPONENT_LABEL) == SNAPSHOT:
            found[revision_of(child)] = (metadata.get("annotations") or {}).get(PROCESS_DIGEST_ANNOTATION, "")
    return found


def live_active(observed: Observed, revision: str) -> ActiveConfig | None:
    """Reads what the pods of a revision's Deployment are told; None where it is not there or makes no sense."""
    name = active_name(observed.owner.name, revision)
    for child in observed.children:
        if child["kind"] == "ConfigMap" and child["metadata"]["name"] == name:
            try:
                return ActiveConfig.model_validate_json((child.get("data") or {}).get(ACTIVE_FILE, ""))
            except ValidationError:
                return None
    return None


def observe_status(raw: Manifest) -> SentryModelStatus | None:
    """Reads what an earlier pass wrote; None when there is nothing that can be relied on."""
    try:
        status = SentryModelStatus.model_validate(raw.get("status") or {})
    except ValidationError:
        return None
    return status if status.observed_generation >= 0 else None


def _deployment(child: Manifest) -> DeploymentView:
    metadata, spec = child["metadata"], child.get("spec") or {}
    annotations = metadata.get("annotations") or {}
    replicas = spec.get("replicas")
    return DeploymentView(
        ref=ObjectRef.of(child, pinned=True),
        revision=revision_of(child),
        replicas=1 if replicas is None else int(replicas),
        created_at=str(metadata.get("creationTimestamp") or ""),
        version=annotations.get(VERSION_ANNOTATION, ""),
        model_digest=annotations.get(MODEL_DIGEST_ANNOTATION, ""),
        config_digest=annotations.get(CONFIG_DIGEST_ANNOTATION, ""),
        process_digest=annotations.get(PROCESS_DIGEST_ANNOTATION, ""),
        follows=any(each.get("name") == FOLLOW for each in _pod_containers(spec)),
        choosy=prefers_healthy_gpus(_pod_spec(spec)),
        fault=_creation_fault(child),
    )


def _pod_containers(spec: Manifest) -> list[Manifest]:
    return _pod_spec(spec).get("containers") or []


def _pod_spec(spec: Manifest) -> Manifest:
    return (spec.get("template") or {}).get("spec") or {}


def _creation_fault(child: Manifest) -> Fault | None:
    for condition in (child.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return Fault(str(condition.get("reason") or "FailedCreate"), quoted(condition.get("message")))
    return None


def _kept(pod: Manifest, owner: Owner) -> bool:
    prefix = f"{owner.name}-{revision_of(pod)}-"
    return any(
        reference.get("controller") and reference["kind"] == "ReplicaSet" and reference["name"].startswith(prefix)
        for reference in pod["metadata"].get("ownerReferences") or ()
    )


def _pod(pod: Manifest, field_of: FieldOf) -> PodView:
    status = pod.get("status") or {}
    conditions = {each["type"]: each for each in status.get("conditions") or ()}
    ready = conditions.get("Ready", {}).get("status") == "True"
    return PodView(
        name=str(pod["metadata"]["name"]),
        revision=revision_of(pod),
        ready=ready,
        uid=str(pod["metadata"].get("uid", "")),
        address=str(status.get("podIP") or ""),
        raw=pod,
        fault=None if ready else pod_fault(pod, field_of=field_of),
        verification=_verification(status),
        image_digest=_image_digest(status) if ready else "",
        mounting_since=None if ready else _mounting_since(conditions),
    )


def _verification(status: Mapping[str, Any]) -> Verification | None:
    fetch = _container(status.get("initContainerStatuses"), FETCH)
    ended = (fetch.get("state") or {}).get("terminated") or {}
    if ended.get("exitCode") != 0:
        return None
    try:
        return Termination.model_validate_json(ended.get("message") or "{}").verification
    except ValidationError:
        return None


def _image_digest(status: Mapping[str, Any]) -> str:
    return str(_container(status.get("containerStatuses"), SERVER).get("imageID") or "").rpartition("@")[2]


def _mounting_since(conditions: Mapping[str, Any]) -> datetime | None:
    """A pod's status does not name a Secret that is missing from a volume: the pod just never gets its sandbox, which
    the kubelet makes after it has mounted everything."""
    scheduled, started = conditions.get("PodScheduled", {}), conditions.get("PodReadyToStartContainers", {})
    if scheduled.get("status") != "True" or started.get("status") != "False":
        return None
    return parse_time(str(scheduled.get("lastTransitionTime") or ""))


def _container(statuses: object, name: str) -> Mapping[str, Any]:
    for container in statuses if isinstance(statuses, list) else ():
        if container.get("name") == name:
            return dict(container)
    return {}
