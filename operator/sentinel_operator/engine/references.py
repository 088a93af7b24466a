"""Objects that a spec merely names (ConfigMaps): read on demand and kept for half a minute, not watched."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Protocol

from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.engine.resources import Resource, ResourceTable


class Finder(Protocol):
    """What is needed of the API client."""

    async def find(self, resource: Resource, namespace: str, name: str, /) -> Manifest | None:
        """Reads one object; None where there is none."""


class References:
    """Reads through a small cache. A change shows after `lifetime` seconds at the latest; absence is kept as well."""

    def __init__(
        self,
        api: Finder,
        table: ResourceTable,
        *,
        clock: Callable[[], float],
        lifetime: float = 30.0,
        capacity: int = 2048,
    ) -> None:
        self._api, self._table, self._clock = api, table, clock
        self._lifetime, self._capacity = lifetime, capacity
        self._kept: OrderedDict[ObjectRef, tuple[float, Manifest | None]] = OrderedDict()

    async def read(self, refs: Sequence[ObjectRef]) -> dict[ObjectRef, Manifest | None]:
        """Gives every object that is named, None for one that does not exist; raises ApiError where it cannot tell."""
        return {ref: await self._read(ref) for ref in refs}

    async def _read(self, ref: ObjectRef) -> Manifest | None:
        kept = self._kept.get(ref)
        if kept is not None and self._clock() < kept[0]:
            return kept[1]
        found = await self._api.find(self._table.find(ref), ref.namespace, ref.name)
        if found is not None:
            found["metadata"].pop("managedFields", None)
        self._kept[ref] = (self._clock() + self._lifetime, found)
        self._kept.move_to_end(ref)
        while len(self._kept) > self._capacity:
            self._kept.popitem(last=False)
        return found
