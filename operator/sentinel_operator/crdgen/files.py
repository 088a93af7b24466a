"""Every generated file with its content: the one list that writing and checking go by."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from sentinel_operator.api.kinds import KINDS
from sentinel_operator.app import PARTS, Parts
from sentinel_operator.bridge.settings import Settings as BridgeSettings
from sentinel_operator.config import Settings
from sentinel_operator.core.reconciler import ChildKind
from sentinel_operator.crdgen.definition import MAX_BYTES, definition, size_of
from sentinel_operator.crdgen.reference import index, reference
from sentinel_operator.crdgen.roles import bridge_roles, certificate_roles, operator_roles, user_roles
from sentinel_operator.crdgen.schema import SchemaError
from sentinel_operator.crdgen.text import documents
from sentinel_operator.crdgen.webhooks import mutating_configuration, webhook_configuration

FOLDERS = (
    PurePosixPath("crds"),
    PurePosixPath("docs/reference"),
    PurePosixPath("manifests/base/generated"),
    PurePosixPath("manifests/bridge/generated"),
)
"""Folders that hold generated files and nothing else."""
_CRDS, _REFERENCE, _MANIFESTS, _BRIDGE = FOLDERS


def files(parts: Parts = PARTS) -> dict[PurePosixPath, str]:
    """Gives path and content of every generated file."""
    return {**_definitions(), **_roles(parts), **_bridge()}


def _definitions() -> dict[PurePosixPath, str]:
    out: dict[PurePosixPath, str] = {_REFERENCE / "README.md": index(KINDS)}
    names = []
    for kind in KINDS:
        crd = definition(kind)
        name = f"{kind.group}_{kind.plural}.yaml"
        if (size := size_of(crd)) >= MAX_BYTES:
            raise SchemaError(f"{kind.kind}: the CRD has {size} bytes, at most {MAX_BYTES} can be applied")
        names.append(name)
        out[_CRDS / name] = documents([crd])
        out[_REFERENCE / f"{kind.kind.lower()}.md"] = reference(kind, crd)
    out[_CRDS / "kustomization.yaml"] = _kustomization(names)
    return out


def _roles(parts: Parts) -> dict[PurePosixPath, str]:
    settings = Settings(namespace="sentinel-system")
    children = _children(parts)
    validated = [each.kind for each in parts.reconcilers if each.kind.kind in parts.validators]
    texts = {
        "operator-roles.yaml": documents(operator_roles(children, KINDS, settings)),
        "certificate-roles.yaml": documents(certificate_roles(settings)),
        "user-roles.yaml": documents(user_roles()),
        "mutating-webhooks.yaml": documents([mutating_configuration(validated, settings)]),
        "webhooks.yaml": documents([webhook_configuration(validated, settings)]),
    }
    return {
        **{_MANIFESTS / name: text for name, text in texts.items()},
        _MANIFESTS / "kustomization.yaml": _kustomization(texts),
    }


def _bridge() -> dict[PurePosixPath, str]:
    name = "bridge-roles.yaml"
    roles = documents(bridge_roles(BridgeSettings(namespace="sentinel-system")))
    return {_BRIDGE / name: roles, _BRIDGE / "kustomization.yaml": _kustomization([name])}


def _children(parts: Parts) -> list[ChildKind]:
    return [child for reconciler in parts.reconcilers for child in reconciler.children]


def _kustomization(names: Iterable[str]) -> str:
    return documents(
        [{"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": sorted(names)}]
    )
