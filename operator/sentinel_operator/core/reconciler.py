"""The one interface between the decisions (core) and what runs them (engine)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from sentinel_operator.api.kinds import Kind
from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.core.outside import NOTHING, Outside
from sentinel_operator.core.plan import Failure, Manifest, ObjectRef, Plan

READ = ("get", "list", "watch")
OWN = ("get", "list", "watch", "create", "patch", "delete")


@dataclass(frozen=True, slots=True)
class ChildKind:
    """A resource that a reconciler makes or watches; Roles and informers are derived from it.

    `scalable` adds the scale subresource to the Role, `evictable` the right to evict. A kind that a cluster may lack
    (Gateway API, say) is `optional`: its informer waits for the API to be served, and readiness does not.
    """

    api_version: str
    kind: str
    plural: str
    verbs: tuple[str, ...] = OWN
    namespaced: bool = True
    scalable: bool = False
    optional: bool = False
    evictable: bool = False
    watched: bool = True
    """Kept by an informer. What is not is read when it is needed, and nobody's child."""


PODS = ChildKind("v1", "Pod", "pods", verbs=READ)
"""List this among `children` to be given `pods`; the engine watches them by the same labels as every child."""

ObservedT = TypeVar("ObservedT")


class Reconciler(Protocol[ObservedT]):
    """Decides for one kind. Pure and synchronous: the same arguments give the same plan.

    The engine promises: raw objects are complete but for `metadata.managedFields`, and must not be changed;
    `children` and `pods` are those that carry the labels of this object (`sentinel.dev/kind`, `sentinel.dev/name`)
    in its namespace, sorted by kind and name, whoever owns them: check the owner's uid before acting on one.
    An object that is being deleted is not observed at all (its children follow by their ownerReferences).
    """

    @property
    def kind(self) -> Kind:
        """The kind that this reconciler is for."""

    @property
    def children(self) -> tuple[ChildKind, ...]:
        """Everything it may create, watch or read as a child."""

    def references(self, raw: Manifest) -> tuple[ObjectRef, ...]:
        """Names what has to be read before the pass (ConfigMaps). Must tolerate a spec that does not validate."""

    def observe(
        self,
        raw: Manifest,
        children: tuple[Manifest, ...],
        pods: tuple[Manifest, ...],
        references: Mapping[ObjectRef, Manifest | None],
        config: SentinelConfigSpec,
        now: datetime,
        outside: Outside = NOTHING,
    ) -> ObservedT:
        """Freezes what is known into one value; an object that does not validate is an observation, not an error."""

    def plan(self, observed: ObservedT) -> Plan:
        """Decides what to do about it."""

    def on_error(self, observed: ObservedT, error: Failure) -> Plan | None:
        """Says what the status and the events should tell when a step failed; its other parts are ignored."""
