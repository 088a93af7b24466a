"""Where objects live in the API: kinds to paths, without discovery."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sentinel_operator.api.kinds import Kind
from sentinel_operator.core.plan import ObjectRef
from sentinel_operator.core.reconciler import ChildKind


@dataclass(frozen=True, slots=True)
class Resource:
    """One served resource."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True

    @classmethod
    def of_kind(cls, kind: Kind) -> Resource:
        """Names a kind of ours."""
        return cls(kind.api_version, kind.kind, kind.plural, kind.namespaced)

    @classmethod
    def of_child(cls, child: ChildKind) -> Resource:
        """Names what a reconciler makes or watches."""
        return cls(child.api_version, child.kind, child.plural, child.namespaced)

    @property
    def base(self) -> str:
        """Gives the path of its group and version."""
        return f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"

    def collection(self, namespace: str = "") -> str:
        """Gives the path to list or to create at; without a namespace, all of them."""
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{self.base}{scope}/{self.plural}"

    def object(self, namespace: str, name: str, subresource: str = "") -> str:
        """Gives the path of one object."""
        path = f"{self.collection(namespace)}/{name}"
        return f"{path}/{subresource}" if subresource else path


CONFIG_MAPS = Resource("v1", "ConfigMap", "configmaps")
CRDS = Resource("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False)
EVENTS = Resource("events.k8s.io/v1", "Event", "events")
LEASES = Resource("coordination.k8s.io/v1", "Lease", "leases")
NODES = Resource("v1", "Node", "nodes", namespaced=False)
SECRETS = Resource("v1", "Secret", "secrets")
MUTATING_WEBHOOKS = Resource(
    "admissionregistration.k8s.io/v1",
    "MutatingWebhookConfiguration",
    "mutatingwebhookconfigurations",
    namespaced=False,
)
VALIDATING_WEBHOOKS = Resource(
    "admissionregistration.k8s.io/v1",
    "ValidatingWebhookConfiguration",
    "validatingwebhookconfigurations",
    namespaced=False,
)


class ResourceTable:
    """Finds the resource of a reference; a kind that nobody declared is a programming error, hence a KeyError."""

    def __init__(self, resources: Iterable[Resource] = ()) -> None:
        self._by_kind = {(each.api_version, each.kind): each for each in (CONFIG_MAPS, *resources)}

    def find(self, ref: ObjectRef) -> Resource:
        """Gives where `ref` lives."""
        try:
            return self._by_kind[ref.api_version, ref.kind]
        except KeyError:
            raise KeyError(f"{ref.api_version} {ref.kind} is not among the declared children or references") from None
