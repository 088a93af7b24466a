"""Objects that a spec merely names (ConfigMaps): read on demand, kept for half a minute, forgotten when they change.

They are nobody's children and bear no label of ours, and what is in all the others of a cluster is none of our
business: so no informer holds them. `ReferenceWatch` says which one changed; this knows who is to hear of it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Protocol

from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.engine.cache import Key
from sentinel_operator.engine.resources import Resource, ResourceTable


class Finder(Protocol):
    """What is needed of the API client."""

    async def find(self, resource: Resource, namespace: str, name: str, /) -> Manifest | None:
        """Reads one object; None where there is none."""


class References:
    """Reads through a small cache; absence is kept as well. Where no change is reported, what was read is believed for
    `lifetime` seconds."""

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
        self._users: dict[ObjectRef, set[Key]] = {}
        self._used: dict[Key, tuple[ObjectRef, ...]] = {}
        self._changes = 0

    async def read(self, user: Key, refs: Sequence[ObjectRef]) -> dict[ObjectRef, Manifest | None]:
        """Gives every object that is named, None for one that does not exist; raises ApiError where it cannot tell.

        From here on a change of any of them concerns `user`, until it reads others or is forgotten.
        """
        self._note(user, tuple(refs))
        return {ref: await self._read(ref) for ref in refs}

    def changed(self, ref: ObjectRef) -> tuple[Key, ...]:
        """Forgets what was read of one object, and names whom its change concerns."""
        users = self._users.get(ref, ())
        if self._kept.pop(ref, None) is not None or users:
            self._changes += 1
        return tuple(users)

    def all_changed(self) -> tuple[Key, ...]:
        """Forgets everything that was read, and names everybody who read anything: changes may have been missed."""
        self._changes += 1
        self._kept.clear()
        return tuple(self._used)

    def forget(self, user: Key) -> None:
        """Frees what is remembered about a user."""
        self._note(user, ())

    def _note(self, user: Key, refs: tuple[ObjectRef, ...]) -> None:
        before = self._used.pop(user, ())
        if refs:
            self._used[user] = refs
        for ref in set(before) - set(refs):
            self._users[ref].discard(user)
            if not self._users[ref]:
                del self._users[ref]
        for ref in refs:
            self._users.setdefault(ref, set()).add(user)

    async def _read(self, ref: ObjectRef) -> Manifest | None:
        kept = self._kept.get(ref)
        if kept is not None and self._clock() < kept[0]:
            return kept[1]
        changes = self._changes
        found = await self._api.find(self._table.find(ref), ref.namespace, ref.name)
        if found is not None:
            found["metadata"].pop("managedFields", None)
        if changes == self._changes:  # else the answer may be older than the change that was reported meanwhile
            self._keep(ref, found)
        return found

    def _keep(self, ref: ObjectRef, found: Manifest | None) -> None:
        self._kept[ref] = (self._clock() + self._lifetime, found)
        self._kept.move_to_end(ref)
        while len(self._kept) > self._capacity:
            self._kept.popitem(last=False)
