"""Roles with no right that the code does not declare: its reconcilers their children, its engine what that reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sentinel_operator.api.base import GROUP
from sentinel_operator.api.kinds import ACTION_PLAN, KINDS, NODE_TELEMETRY, Kind
from sentinel_operator.bridge import rights as rights_of_bridge
from sentinel_operator.bridge.settings import Settings as BridgeSettings
from sentinel_operator.config import Settings
from sentinel_operator.core.reconciler import PODS, READ, ChildKind
from sentinel_operator.crdgen.definition import LABELS
from sentinel_operator.engine.resources import (
    CONFIG_MAPS,
    CRDS,
    EVENTS,
    LEASES,
    MUTATING_WEBHOOKS,
    NODES,
    SECRETS,
    VALIDATING_WEBHOOKS,
    Resource,
)

NAME = "sentinel-operator"
CERTIFICATES = "sentinel-certificates"
_RBAC = "rbac.authorization.k8s.io"
_APPROVE = (*READ, "patch", "update", "approve")
_WRITE = ("create", "delete", "deletecollection", "patch", "update")

Manifest = dict[str, Any]
Rights = dict[tuple[str, str], set[str]]


def operator_roles(children: Sequence[ChildKind], kinds: Sequence[Kind], settings: Settings) -> list[Manifest]:
    """Gives what the operator may do with the kinds that it reconciles, anywhere, and with its own lease."""
    lease = _named_rules(LEASES, settings.lease)
    return [
        *_granted(NAME, _cluster_rules(children, kinds), settings.namespace),
        *_granted(NAME, lease, settings.namespace, own=True),
    ]


def certificate_roles(settings: Settings) -> list[Manifest]:
    """Gives what the operator needs to look after its own certificate; nothing of it where cert-manager does."""
    configuration = _rule(
        _group(VALIDATING_WEBHOOKS),
        [MUTATING_WEBHOOKS.plural, VALIDATING_WEBHOOKS.plural],
        ("get", "patch"),
        names=[settings.webhook_configuration],
    )
    secret = _named_rules(SECRETS, settings.webhook_secret)
    return [
        *_granted(CERTIFICATES, [configuration], settings.namespace),
        *_granted(CERTIFICATES, secret, settings.namespace, own=True),
    ]


def bridge_roles(settings: BridgeSettings) -> list[Manifest]:
    """Gives what the bridge may read anywhere, and what it may do in its own namespace."""
    rights: Rights = {}
    for resource, verbs in rights_of_bridge.ANYWHERE.items():
        _grant(rights, resource, verbs)
    own: Rights = {}
    for resource, verbs in rights_of_bridge.INSIDE.items():
        _grant(own, resource, verbs)
    secrets = _rule(_group(SECRETS), [SECRETS.plural], ("get",), names=rights_of_bridge.SECRETS)
    inside = [*_rules(own), *_named_rules(LEASES, settings.lease), secrets]
    name = rights_of_bridge.NAME
    return [
        *_granted(name, _rules(rights), settings.namespace, account=name),
        *_granted(name, inside, settings.namespace, account=name, own=True),
    ]


def user_roles(kinds: Sequence[Kind] = KINDS) -> list[Manifest]:
    """Gives what people get through Kubernetes' own roles view, edit and admin, which aggregate these."""
    every = [kind.plural for kind in kinds]
    namespaced = [kind.plural for kind in kinds if kind.namespaced]
    statuses = [f"{plural}/status" for plural in every]
    scales = [f"{kind.plural}/scale" for kind in kinds if kind.scale and kind.namespaced]
    read = [_rule(GROUP, [*every, *statuses], READ)]
    if scales:
        read.append(_rule(GROUP, scales, ("get",)))
    declared = [kind.plural for kind in kinds if kind.declared]
    edit = [_rule(GROUP, namespaced, _WRITE)]
    if scales:
        edit.append(_rule(GROUP, scales, ("patch", "update")))
    return [
        _role("ClusterRole", "sentinel-view", read, aggregate=("view", "edit", "admin")),
        _role("ClusterRole", "sentinel-edit", edit, aggregate=("edit", "admin")),
        _role("ClusterRole", "sentinel-admin", [_rule(GROUP, declared, _WRITE)], aggregate=("admin",)),
        # Part of no other role: whoever may create plans may not, by that alone, approve them.
        _role("ClusterRole", "sentinel-approver", [_rule(GROUP, [ACTION_PLAN.plural], _APPROVE)]),
    ]


def _cluster_rules(children: Sequence[ChildKind], kinds: Sequence[Kind]) -> list[Manifest]:
    rights: Rights = {}
    for child in children:
        _grant(rights, Resource.of_child(child), child.verbs)
        if child.scalable:
            _grant(rights, Resource.of_child(child), ("get", "patch"), subresource="scale")
        if child.evictable:
            _grant(rights, Resource.of_child(child), ("create",), subresource="eviction")
    for kind in kinds:
        _grant(rights, Resource.of_kind(kind), READ)
        if not kind.declared:
            continue
        if kind.expires:
            _grant(rights, Resource.of_kind(kind), ("delete",))
        _grant(rights, Resource.of_kind(kind), ("patch",), subresource="status")
        # Where OwnerReferencesPermissionEnforcement is on, a controller reference needs it.
        _grant(rights, Resource.of_kind(kind), ("update",), subresource="finalizers")
    if any(kind.approvable for kind in kinds):
        rights["authorization.k8s.io", "subjectaccessreviews"] = {"create"}
    _grant(rights, CONFIG_MAPS, READ)
    _grant(rights, CRDS, ("list", "watch"))
    _grant(rights, NODES, ("list",))
    _grant(rights, Resource.of_kind(NODE_TELEMETRY), READ)
    _grant(rights, Resource.of_child(PODS), ("list",))
    _grant(rights, EVENTS, ("create", "patch"))
    return _rules(rights)


def _named_rules(resource: Resource, name: str) -> list[Manifest]:
    """A creation cannot be limited to a name, for nothing has it yet; it is limited to the operator's own namespace."""
    return [
        _rule(_group(resource), [resource.plural], ("create",)),
        _rule(_group(resource), [resource.plural], ("get", "update"), names=[name]),
    ]


def _group(resource: Resource) -> str:
    return resource.api_version.rpartition("/")[0]


def _grant(rights: Rights, resource: Resource, verbs: Iterable[str], *, subresource: str = "") -> None:
    plural = f"{resource.plural}/{subresource}" if subresource else resource.plural
    rights.setdefault((_group(resource), plural), set()).update(verbs)


def _rules(rights: Rights) -> list[Manifest]:
    """Folds resources of one group that have the same verbs into one rule."""
    folded: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (group, plural), verbs in sorted(rights.items()):
        folded.setdefault((group, tuple(sorted(verbs))), []).append(plural)
    return [_rule(group, plurals, verbs) for (group, verbs), plurals in folded.items()]


def _rule(group: str, resources: Sequence[str], verbs: Iterable[str], *, names: Sequence[str] = ()) -> Manifest:
    limited = {"resourceNames": list(names)} if names else {}
    return {"apiGroups": [group], "resources": list(resources), **limited, "verbs": sorted(verbs)}


def _granted(name: str, rules: list[Manifest], home: str, *, account: str = NAME, own: bool = False) -> list[Manifest]:
    """Gives a role and its binding to an account of the operator's namespace: in the whole cluster, or in there."""
    namespace = home if own else ""
    kind = "Role" if own else "ClusterRole"
    binding = {
        "apiVersion": f"{_RBAC}/v1",
        "kind": f"{kind}Binding",
        "metadata": _metadata(name, namespace, LABELS),
        "roleRef": {"apiGroup": _RBAC, "kind": kind, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": home}],
    }
    return [_role(kind, name, rules, namespace=namespace), binding]


def _role(
    kind: str, name: str, rules: list[Manifest], *, namespace: str = "", aggregate: Sequence[str] = ()
) -> Manifest:
    labels = {**LABELS, **{f"{_RBAC}/aggregate-to-{role}": "true" for role in aggregate}}
    metadata = _metadata(name, namespace, labels)
    return {"apiVersion": f"{_RBAC}/v1", "kind": kind, "metadata": metadata, "rules": rules}


def _metadata(name: str, namespace: str, labels: Mapping[str, str]) -> Manifest:
    return {"name": name, **({"namespace": namespace} if namespace else {}), "labels": dict(labels)}
