"""A small kind with a reconciler of its own, to show what the engine does without any domain in the way.

A Toy owns a ServiceAccount, a ConfigMap named after its colour (the former one is deleted), a Service, a
NetworkPolicy, a PodDisruptionBudget and a Deployment whose replicas are set by scaling.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from sentinel_operator.api.base import Model
from sentinel_operator.api.kinds import Kind
from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.core.admission.verdict import FieldError, Review, Verdict
from sentinel_operator.core.outside import NOTHING, Outside
from sentinel_operator.core.plan import Apply, Delete, Event, Failure, Manifest, ObjectRef, Plan, Scale
from sentinel_operator.core.reconciler import PODS, ChildKind


class ToySpec(Model):
    """What a user asks for."""

    color: str
    replicas: int = 0
    port: int = 80
    palette: str = ""


class ToyStatus(Model):
    """What was observed."""

    observed_generation: int = -1


TOY = Kind(
    kind="Toy",
    plural="toys",
    spec=ToySpec,
    status=ToyStatus,
    short_names=(),
    columns=(),
    group=f"{os.environ.get('PYTEST_XDIST_WORKER', 'gw0')}.test.sentinel.dev",  # a worker's replicas see its toys only
    version="v1",
)

CONFIG_MAP = ChildKind("v1", "ConfigMap", "configmaps")
DEPLOYMENT = ChildKind("apps/v1", "Deployment", "deployments", scalable=True)
BUDGET = ChildKind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
POLICY = ChildKind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")
SERVICE = ChildKind("v1", "Service", "services")
ACCOUNT = ChildKind("v1", "ServiceAccount", "serviceaccounts")

WRITES_AT_FIRST = 8
"""Six children, one scaling, one status."""


def crd(kind: Kind = TOY) -> Manifest:
    """Gives the CustomResourceDefinition, open to any spec."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": kind.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": anything, "status": anything}}},
        "subresources": {"status": {}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{kind.group}"},
        "spec": {
            "group": kind.group,
            "names": {"kind": kind.kind, "plural": kind.plural, "singular": "toy", "listKind": "ToyList"},
            "scope": "Namespaced",
            "versions": [version],
        },
    }


def toy(namespace: str, name: str, kind: Kind = TOY, **spec: Any) -> Manifest:
    """Builds a Toy, a red one by default."""
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"color": "red", **spec},
    }


@dataclass(frozen=True, slots=True)
class Observed:
    """One Toy and what belongs to it."""

    raw: Manifest
    spec: ToySpec | str
    config_maps: tuple[Manifest, ...]
    palette: Manifest | None
    cluster: str


class ToyReconciler:
    """Decides for Toys."""

    def __init__(self, kind: Kind = TOY) -> None:
        self.kind = kind

    children = (CONFIG_MAP, DEPLOYMENT, BUDGET, POLICY, SERVICE, ACCOUNT, PODS)

    def references(self, raw: Manifest) -> tuple[ObjectRef, ...]:
        palette = raw.get("spec", {}).get("palette")
        return (ObjectRef("v1", "ConfigMap", raw["metadata"]["namespace"], palette),) if palette else ()

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
        try:
            spec: ToySpec | str = ToySpec.model_validate(raw.get("spec", {}))
        except ValidationError as error:
            spec = "; ".join(f"spec.{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        config_maps = tuple(child for child in children if child["kind"] == "ConfigMap")
        palette = next(iter(references.values()), None)
        return Observed(raw, spec, config_maps, palette, config.cluster_id)

    def plan(self, observed: Observed) -> Plan:
        if isinstance(observed.spec, str):
            return Plan(status=_status(observed, ready="False", reason="InvalidSpec", message=observed.spec))
        current = _name(observed, observed.spec.color)
        stale = [each for each in observed.config_maps if each["metadata"]["name"] != current]
        before = observed.raw.get("status", {}).get("color")
        turned = before is not None and before != observed.spec.color
        return Plan(
            apply=tuple(Apply(each) for each in _children(observed, observed.spec)),
            scale=(Scale(_ref(observed, DEPLOYMENT), observed.spec.replicas),),
            delete=tuple(Delete(ObjectRef.of(each, pinned=True)) for each in stale),
            status=_status(observed, ready="True", reason="Made", message="", color=observed.spec.color),
            events=(Event("Normal", "Painted", f"painted {observed.spec.color}"),) if turned else (),
        )

    def on_error(self, observed: Observed, error: Failure) -> Plan | None:
        if not error.terminal:
            return None
        return Plan(status=_status(observed, ready="False", reason=error.reason, message=error.message))


def judge(review: Review) -> Verdict:
    """Validates a Toy: no black ones, and a word about pink."""
    color = review.new.get("spec", {}).get("color")
    errors = (FieldError("spec.color", f"black is not for toys, {review.requester.username}"),)
    return Verdict(errors if color == "black" else (), ("spec.color: pink fades",) if color == "pink" else ())


def _name(observed: Observed, suffix: str = "") -> str:
    name: str = observed.raw["metadata"]["name"]
    return f"{name}-{suffix}" if suffix else name


def _ref(observed: Observed, child: ChildKind) -> ObjectRef:
    return ObjectRef(child.api_version, child.kind, observed.raw["metadata"]["namespace"], _name(observed))


def _status(observed: Observed, *, ready: str, reason: str, message: str, **more: str) -> Manifest:
    metadata = observed.raw["metadata"]
    condition = {"type": "Ready", "status": ready, "reason": reason, "message": message}
    palette = (observed.palette or {}).get("data", {}).get("name", "")
    extra = {key: value for key, value in {"palette": palette, "cluster": observed.cluster, **more}.items() if value}
    return {"observedGeneration": metadata["generation"], "conditions": [condition], **extra}


def _children(observed: Observed, spec: ToySpec) -> list[Manifest]:
    metadata = observed.raw["metadata"]
    selector = {"toy": metadata["name"]}
    labels = {
        "app.kubernetes.io/managed-by": "sentinel-operator",
        "sentinel.dev/kind": observed.raw["kind"],
        "sentinel.dev/name": metadata["name"],
    }
    owner = {
        "apiVersion": observed.raw["apiVersion"],
        "kind": observed.raw["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }

    def child(kind: ChildKind, *, suffix: str = "", **body: Any) -> Manifest:
        about = {
            "namespace": metadata["namespace"],
            "name": _name(observed, suffix),
            "labels": labels,
            "ownerReferences": [owner],
        }
        return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": about, **body}

    container = {
        "name": "toy",
        "image": "toy:1",
        "env": [{"name": "COLOR", "value": spec.color}],
        "resources": {"requests": {"cpu": "0.5", "memory": "1024Mi"}},
    }
    template = {"metadata": {"labels": {**labels, **selector}}, "spec": {"containers": [container]}}
    return [
        child(ACCOUNT),
        child(CONFIG_MAP, suffix=spec.color, data={"color": spec.color}),
        child(SERVICE, spec={"selector": selector, "ports": [{"name": "http", "port": spec.port}]}),
        child(POLICY, spec={"podSelector": {"matchLabels": selector}, "ingress": [{}], "policyTypes": ["Ingress"]}),
        child(BUDGET, spec={"selector": {"matchLabels": selector}, "maxUnavailable": 1}),
        child(DEPLOYMENT, spec={"selector": {"matchLabels": selector}, "template": template}),
    ]
