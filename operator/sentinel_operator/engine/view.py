"""What a controller sees of the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.cache import Key, ObjectCache, Owner
from sentinel_operator.engine.resources import Resource


@dataclass(frozen=True, slots=True)
class View:
    """Its objects, and the caches of everything they may own."""

    resource: Resource
    primary: ObjectCache
    children: Mapping[Resource, ObjectCache]

    def children_of(self, key: Key) -> tuple[tuple[Manifest, ...], tuple[Manifest, ...]]:
        """Gives the children, by kind and name, and the pods."""
        owner = Owner(self.resource.kind, key.namespace, key.name)
        children: list[Manifest] = []
        pods: tuple[Manifest, ...] = ()
        for resource in sorted(self.children, key=lambda each: each.kind):
            found = self.children[resource].owned_by(owner)
            if resource.kind == "Pod":
                pods = tuple(found)
            else:
                children.extend(found)
        return tuple(children), pods
