"""The bytes of an object as lines, however long they are, with the digest of the whole on the way."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from sentinel_workloads.scan.plan.formats import is_compressed
from sentinel_workloads.scan.readers.inflate import Inflate, UnreadableError
from sentinel_workloads.scan.readers.text import HEAD_BYTES, strange_kind
from sentinel_workloads.scan.store import ObjectStore


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a line: where it begins in the (uncompressed) object, its bytes, and whether the line ends with it."""

    start: int
    data: bytes
    ends: bool


class ObjectStream:
    """Reads an object from `start` on. With `hashed` it begins at 0, and knows the digest when it is drained."""

    def __init__(self, store: ObjectStore, key: str, *, etag: str, start: int, hashed: bool) -> None:
        self._store, self._key, self._etag = store, key, etag
        self._start, self._hashed = start, hashed
        self._seen = hashlib.sha256()
        self.sha256 = ""
        self.lines_before = 0
        """Newlines that lie before `start`; known only where the digest is."""

    async def pieces(self) -> AsyncGenerator[Piece, None]:
        """Pieces of lines in order; none is longer than a chunk unless a line's end is missing at the end."""
        position, begun = self._start, False
        async with aclosing(self._chunks()) as chunks:
            async for chunk in chunks:
                *whole, rest = chunk.split(b"\n")
                for line in whole:
                    yield Piece(position, line, True)
                    position += len(line) + 1
                begun = bool(rest) or (begun and not whole)
                if rest:
                    yield Piece(position, rest, False)
                    position += len(rest)
        if begun:
            yield Piece(position, b"", True)

    async def digest(self) -> None:
        """Reads the object once more for its digest alone, where what it holds could not be read to the end."""
        if not self._hashed or self.sha256:
            return
        seen = hashlib.sha256()
        async with aclosing(self._store.read(self._key, etag=self._etag)) as chunks:
            async for chunk in chunks:
                seen.update(chunk)
        self.sha256 = seen.hexdigest()

    async def _chunks(self) -> AsyncGenerator[bytes, None]:
        """What lies from `start` on, uncompressed; everything before it is only hashed."""
        position = 0 if self._from_zero else self._start
        async with aclosing(self._plain()) as chunks:
            async for chunk in chunks:
                if not position and (kind := strange_kind(chunk[:HEAD_BYTES])):
                    raise UnreadableError(f"it is not text but {kind}")
                begin = max(0, self._start - position)
                position += len(chunk)
                if begin and self._hashed:
                    self.lines_before += chunk.count(b"\n", 0, begin)
                if begin < len(chunk):
                    yield chunk[begin:] if begin else chunk
        if self._hashed:
            self.sha256 = self._seen.hexdigest()

    @property
    def _from_zero(self) -> bool:
        return self._hashed or is_compressed(self._key)

    async def _plain(self) -> AsyncGenerator[bytes, None]:
        start = 0 if self._from_zero else self._start
        async with aclosing(self._store.read(self._key, start=start, etag=self._etag)) as chunks:
            if is_compressed(self._key):
                async with aclosing(self._inflated(chunks)) as inflated:
                    async for chunk in inflated:
                        yield chunk
                return
            async for chunk in chunks:
                if self._hashed:
                    self._seen.update(chunk)
                yield chunk

    async def _inflated(self, chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        inflate = Inflate()
        async for chunk in chunks:
            if self._hashed:
                self._seen.update(chunk)
            for piece in inflate.feed(chunk):
                yield piece
        inflate.finish()
