"""Roles with no right that the code does not declare: its reconcilers their children, its engine what that reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sentinel_operator.api.base import GROUP
from sentinel_operator.api.kinds import KINDS, Kind
from sentinel_operator.config import Settings
from sentinel_operator.core.reconciler import READ, ChildKind
from sentinel_operator.crdgen.definition import LABELS
from sentinel_operator.engine.resources import CONFIG_MAPS, CRDS, EVENTS, LEASES, SECRETS, VALIDATING_WEBHOOKS, Resource

NAME = "sentinel-operator"
_RBAC = "rbac.authorization.k8s.io"
_WRITE = ("create", "delete", "deletecollection", "patch", "update")

Manifest = dict[str, Any]
Rights = dict[tuple[str, str], set[str]]


def operator_roles(children: Sequence[ChildKind], kinds: Sequence[Kind], settings: Settings) -> list[Manifest]:
    """Gives what the operator's ServiceAccount may do: in the whole cluster, and in its own namespace."""
    return [
        _role("ClusterRole", NAME, [*_cluster_rules(children, kinds), *_webhook_rules(settings)]),
        _binding("ClusterRoleBinding", NAME, settings.namespace),
        _role("Role", NAME, _own_rules(settings), namespace=settings.namespace),
        _binding("RoleBinding", NAME, settings.namespace, namespace=settings.namespace),
    ]


def user_roles(kinds: Sequence[Kind] = KINDS) -> list[Manifest]:
    """Gives what people get through Kubernetes' own roles view, edit and admin, which aggregate these."""
    every, namespaced = [kind.plural for kind in kinds], [kind.plural for kind in kinds if kind.namespaced]
    statuses = [f"{plural}/status" for plural in every]
    scales = [f"{kind.plural}/scale" for kind in kinds if kind.scale and kind.namespaced]
    read = [_rule(GROUP, [*every, *statuses], READ)]
    if scales:
        read.append(_rule(GROUP, scales, ("get",)))
    edit = [_rule(GROUP, namespaced, _WRITE)]
    if scales:
        edit.append(_rule(GROUP, scales, ("patch", "update")))
    return [
        _role("ClusterRole", "sentinel-view", read, aggregate=("view", "edit", "admin")),
        _role("ClusterRole", "sentinel-edit", edit, aggregate=("edit", "admin")),
        _role("ClusterRole", "sentinel-admin", [_rule(GROUP, every, _WRITE)], aggregate=("admin",)),
    ]


def _cluster_rules(children: Sequence[ChildKind], kinds: Sequence[Kind]) -> list[Manifest]:
    rights: Rights = {}
    for child in children:
        _grant(rights, Resource.of_child(child), child.verbs)
        if child.scalable:
            _grant(rights, Resource.of_child(child), ("get", "patch"), subresource="scale")
    for kind in kinds:
        _grant(rights, Resource.of_kind(kind), READ)
        _grant(rights, Resource.of_kind(kind), ("patch",), subresource="status")
        # Where OwnerReferencesPermissionEnforcement is on, a controller reference needs it.
        _grant(rights, Resource.of_kind(kind), ("update",), subresource="finalizers")
    _grant(rights, CONFIG_MAPS, ("get",))
    _grant(rights, CRDS, ("list", "watch"))
    _grant(rights, EVENTS, ("create", "patch"))
    return _rules(rights)


def _webhook_rules(settings: Settings) -> list[Manifest]:
    group = VALIDATING_WEBHOOKS.api_version.split("/")[0]
    return [_rule(group, [VALIDATING_WEBHOOKS.plural], ("get", "patch"), names=[settings.webhook_configuration])]


def _own_rules(settings: Settings) -> list[Manifest]:
    """A creation cannot be limited to a name: nothing has it yet. It is limited to the operator's own namespace."""
    out: list[Manifest] = []
    for resource, name in ((LEASES, settings.lease), (SECRETS, settings.webhook_secret)):
        group = resource.api_version.rpartition("/")[0]
        out.append(_rule(group, [resource.plural], ("create",)))
        out.append(_rule(group, [resource.plural], ("get", "update"), names=[name]))
    return out


def _grant(rights: Rights, resource: Resource, verbs: Iterable[str], *, subresource: str = "") -> None:
    plural = f"{resource.plural}/{subresource}" if subresource else resource.plural
    rights.setdefault((resource.api_version.rpartition("/")[0], plural), set()).update(verbs)


def _rules(rights: Rights) -> list[Manifest]:
    """Folds resources of one group that have the same verbs into one rule."""
    folded: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (group, plural), verbs in sorted(rights.items()):
        folded.setdefault((group, tuple(sorted(verbs))), []).append(plural)
    return [_rule(group, plurals, verbs) for (group, verbs), plurals in folded.items()]


def _rule(group: str, resources: Sequence[str], verbs: Iterable[str], *, names: Sequence[str] = ()) -> Manifest:
    limited = {"resourceNames": list(names)} if names else {}
    return {"apiGroups": [group], "resources": list(resources), **limited, "verbs": sorted(verbs)}


def _role(
    kind: str, name: str, rules: list[Manifest], *, namespace: str = "", aggregate: Sequence[str] = ()
) -> Manifest:
    labels = {**LABELS, **{f"{_RBAC}/aggregate-to-{role}": "true" for role in aggregate}}
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": kind,
        "metadata": _metadata(name, namespace, labels),
        "rules": rules,
    }


def _binding(kind: str, name: str, account_namespace: str, *, namespace: str = "") -> Manifest:
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": kind,
        "metadata": _metadata(name, namespace, LABELS),
        "roleRef": {"apiGroup": _RBAC, "kind": kind.removesuffix("Binding"), "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": account_namespace}],
    }


def _metadata(name: str, namespace: str, labels: Mapping[str, str]) -> Manifest:
    return {"name": name, **({"namespace": namespace} if namespace else {}), "labels": dict(labels)}
