"""What a store offers to a scan. Keys are relative to the prefix that the store was opened at."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

CHUNK_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Found:
    """An object that there is; another etag is another content."""

    key: str
    size: int
    etag: str


class ObjectStore(Protocol):
    """A prefix of a store, whose transient faults are waited out within its deadline.

    After that, and for what waiting does not mend, Failure is raised; reading what is not there raises MissingError,
    and what is no longer as it was, ChangedError.
    """

    uri: str
    field: str
    """Path of the store in the spec."""

    def list(self, below: str = "") -> AsyncIterator[Found]:
        """Every object whose key begins with `below`, in no particular order."""
        ...

    def read(self, key: str, *, start: int = 0, end: int | None = None, etag: str = "") -> AsyncGenerator[bytes, None]:
        """Bytes [start, end) of an object in pieces, all of one version. Gone on with where a fault cut it.
        CorruptError at the end when they are not those of the store's checksum."""
        ...

    async def get(self, key: str, *, limit: int, etag: str = "") -> bytes:
        """An object whole, its checksum right; one that is larger than the limit is refused as ValueError."""
        ...

    async def put(self, key: str, body: bytes | Path, *, only_new: bool = False) -> bool:
        """Writes an object whole or not at all; False when `only_new` and there is one already."""
        ...

    async def copy_from(self, source: ObjectStore, key: str, *, to: str, etag: str = "") -> bool:
        """Copies an object of another prefix, by the store itself where it can; False for one that is too large."""
        ...

    async def delete(self, key: str, *, etag: str = "") -> None:
        """Removes an object if it still has the etag, else raises ChangedError; one that is not there is no fault."""
        ...

    async def head(self, key: str) -> Found | None:
        """What is known of an object without reading it."""
        ...
