"""The last known raw objects of one resource, with an index by the object of ours that they belong to.

Own writes are put in as soon as the API server has answered, so a pass never acts on a state older than what it wrote
itself. Whatever arrives later but is older is ignored, by comparing resourceVersions as integers: the API promises no
order for opaque ones, but etcd's revision is what every API server uses, and since Kubernetes 1.35 (KEP-5504) the
order is part of the contract.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from sentinel_operator.core import names
from sentinel_operator.core.plan import Manifest


class Key(NamedTuple):
    """Names an object within its resource; the namespace of a cluster-scoped one is empty."""

    namespace: str
    name: str


class Owner(NamedTuple):
    """Names the object of ours that a child belongs to by its labels."""

    kind: str
    namespace: str
    name: str


def key_of(raw: Mapping[str, object]) -> Key:
    """Names a raw object."""
    metadata: Manifest = raw["metadata"]  # type: ignore[assignment]
    return Key(metadata.get("namespace") or "", metadata["name"])


def owner_of(raw: Manifest) -> Owner | None:
    """Reads whose child an object is; None for one that bears no labels of ours."""
    labels = raw["metadata"].get("labels") or {}
    kind, name = labels.get(names.KIND), labels.get(names.NAME) or labels.get(names.MEASURES)
    return Owner(kind, raw["metadata"].get("namespace") or "", name) if kind and name else None


def version_of(raw: Manifest) -> int:
    """Gives the resourceVersion as a number that grows with every write in the cluster."""
    return int(raw["metadata"].get("resourceVersion") or 0)


def unobserved(_: Key, __: Manifest | None) -> None:
    """Is told of changes, and does nothing about them."""


def whole(raw: Manifest) -> Manifest:
    """Keeps all of an object."""
    return raw


class ObjectCache:
    """Holds raw objects without their managedFields; nobody changes what it gives out.

    `observer` is told of every state that is taken in, own writes among them, and of every end (None). `kept` gives
    what of a state has to be held."""

    def __init__(
        self,
        *,
        observer: Callable[[Key, Manifest | None], None] = unobserved,
        kept: Callable[[Manifest], Manifest] = whole,
    ) -> None:
        self._observer, self._kept = observer, kept
        self._objects: dict[Key, Manifest] = {}
        self._by_owner: dict[Owner, set[Key]] = {}
        self._deleted: dict[Key, str] = {}

    def __len__(self) -> int:
        return len(self._objects)

    def __contains__(self, key: Key) -> bool:
        return key in self._objects

    def get(self, key: Key) -> Manifest | None:
        """Gives the object, if it is known."""
        return self._objects.get(key)

    def __iter__(self) -> Iterator[Key]:
        return iter(tuple(self._objects))

    def owned_by(self, owner: Owner) -> list[Manifest]:
        """Gives the children of an object of ours, by name."""
        return [self._objects[key] for key in sorted(self._by_owner.get(owner, ()))]

    def lean(self, raw: Manifest) -> Manifest:
        """Gives what is held of an object; whoever reads thousands throws the rest away at once."""
        raw["metadata"].pop("managedFields", None)
        return self._kept(raw)

    def put(self, raw: Manifest) -> tuple[Manifest, ...]:
        """Takes in a newer state and gives what became different: the object, and also its former self where that
        belonged to another owner. Nothing, where it is not newer than what is known, or of a deleted incarnation."""
        key = key_of(raw)
        known = self._objects.get(key)
        if known is not None and version_of(raw) <= version_of(known):
            return ()
        if self._deleted.get(key, "") == raw["metadata"].get("uid"):
            return ()
        self._deleted.pop(key, None)
        if known is not None:
            self._unindex(key, known)
        self._objects[key] = self.lean(raw)
        owner = owner_of(raw)
        if owner is not None:
            self._by_owner.setdefault(owner, set()).add(key)
        self._observer(key, raw)
        return (raw,) if known is None or owner_of(known) == owner else (raw, known)

    def drop(self, raw: Manifest) -> bool:
        """Takes in a deletion as watched; False where a later incarnation, or nothing, is known."""
        key = key_of(raw)
        if self._deleted.get(key) == raw["metadata"].get("uid"):
            del self._deleted[key]
        known = self._objects.get(key)
        if known is None or version_of(known) > version_of(raw):
            return False
        self.evict(key)
        return True

    def deleted(self, key: Key, uid: str) -> None:
        """Takes in an own deletion: that incarnation is gone, whatever older events still say about it."""
        known = self._objects.get(key)
        if known is not None and known["metadata"].get("uid") == uid:
            self.evict(key)
            self._deleted[key] = uid

    def assume_replicas(self, key: Key, replicas: int) -> None:
        """Takes in an own scaling, whose answer is not the object; whatever is watched next takes its place."""
        known = self._objects.get(key)
        if known is not None:
            metadata = {**known["metadata"], "generation": known["metadata"].get("generation", 0) + 1}
            self._objects[key] = {**known, "metadata": metadata, "spec": {**known["spec"], "replicas": replicas}}

    def evict(self, key: Key) -> None:
        """Forgets an object."""
        known = self._objects.pop(key, None)
        if known is not None:
            self._unindex(key, known)
            self._observer(key, None)

    def replace(self, items: Iterable[Manifest], resource_version: str) -> tuple[list[Manifest], list[Manifest]]:
        """Takes in a whole list; gives what is new or changed, and what is gone.

        What is known but not listed is gone, unless it was written after the snapshot of the list.
        """
        self._deleted.clear()
        listed: set[Key] = set()
        changed: list[Manifest] = []
        for raw in items:
            listed.add(key_of(raw))
            changed.extend(self.put(raw))
        snapshot = int(resource_version or 0)
        gone = [known for key, known in self._objects.items() if key not in listed and version_of(known) <= snapshot]
        for raw in gone:
            self.evict(key_of(raw))
        return changed, gone

    def _unindex(self, key: Key, raw: Manifest) -> None:
        owner = owner_of(raw)
        if owner is None:
            return
        keys = self._by_owner.get(owner, set())
        keys.discard(key)
        if not keys:
            self._by_owner.pop(owner, None)
