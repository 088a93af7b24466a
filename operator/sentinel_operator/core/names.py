"""How children are named, labelled and owned: one place, so that they are found again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sentinel_operator.core.plan import Manifest

MANAGED_BY = "app.kubernetes.io/managed-by"
OPERATOR = "sentinel-operator"
KIND = "sentinel.dev/kind"
NAME = "sentinel.dev/name"
MEASURES = "sentinel.dev/measures"
"""In place of NAME on what must not be selected as a pod of the object: the pods of its Jobs."""
REVISION = "sentinel.dev/revision"
REQUESTED_BY = "sentinel.dev/requested-by"
"""Annotation: who created the object, as the API server verified it; nobody else can write it."""
ROUTING_MANAGER = "sentinel-routing"
"""Field manager of routes; everything else is applied as plan.WORKLOAD_MANAGER."""
PACE_MANAGER = "sentinel-pace"
"""Field manager of what of a Job may change once it is made."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The object that children belong to."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str

    @property
    def selector(self) -> dict[str, str]:
        """Gives the labels that every child and pod of the owner has, and nothing else has."""
        return {KIND: self.kind, NAME: self.name}

    def revision_selector(self, revision: str) -> dict[str, str]:
        """Gives the labels that every pod of one revision has."""
        return {**self.selector, REVISION: revision}

    def labels(self, component: str, *, revision: str = "", extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """Gives the labels of a child; ours win over the user's, since everything is found by them."""
        return {
            **(extra or {}),
            "app.kubernetes.io/name": self.kind.lower(),
            "app.kubernetes.io/instance": self.name,
            "app.kubernetes.io/component": component,
            MANAGED_BY: OPERATOR,
            **self.selector,
            **({REVISION: revision} if revision else {}),
        }

    def reference(self) -> Manifest:
        """Gives the ownerReference by which the garbage collector removes a child after its owner."""
        return {
            "apiVersion": self.api_version,
            "kind": self.kind,
            "name": self.name,
            "uid": self.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }

    def owns(self, child: Manifest) -> bool:
        """Tells whether the owner controls the object; a namesake's children are not its own."""
        return controller_uid(child) == self.uid


def controller_uid(child: Manifest) -> str:
    """Gives the uid of the object's controller, or an empty string."""
    for reference in child["metadata"].get("ownerReferences") or ():
        if reference.get("controller"):
            return str(reference.get("uid", ""))
    return ""


def revision_name(owner: str, revision: str) -> str:
    """Names the objects of one revision; 63 characters at most, since owners' names have 52 at most."""
    return f"{owner}-{revision}"


def as_selector(labels: Mapping[str, str]) -> str:
    """Writes labels the way `kubectl -l` reads them."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
