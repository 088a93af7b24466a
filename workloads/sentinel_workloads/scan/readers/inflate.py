"""Uncompresses gzip in pieces, and no bombs."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from sentinel_workloads.scan.store import CHUNK_BYTES

MAX_RATIO = 200
FREE_BYTES = 64 * 1024**2
"""So much may come out of a few compressed bytes before the ratio counts."""


class UnreadableError(ValueError):
    """The bytes of the object cannot be made sense of from here on."""


class Inflate:
    """Members of gzip, one after another; UnreadableError for what is none, and for more than could be honest."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(wbits=31)
        self._taken = self._given = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What comes out of a piece, in pieces."""
        self._taken += len(chunk)
        waiting = chunk
        while waiting:
            if self._inflate.eof:
                self._inflate = zlib.decompressobj(wbits=31)
            try:
                plain = self._inflate.decompress(waiting, CHUNK_BYTES)
            except zlib.error as error:
                raise UnreadableError(f"it is not gzip: {error}") from error
            self._given += len(plain)
            if self._given > FREE_BYTES and self._given > MAX_RATIO * self._taken:
                raise UnreadableError(f"{self._given} bytes came out of {self._taken}: a bomb")
            if plain:
                yield plain
            waiting = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail

    def finish(self) -> None:
        """Tells that nothing more comes."""
        if self._taken and not self._inflate.eof:
            raise UnreadableError("the compressed data ends too early")


def inflated(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """All of a file that is at hand."""
    inflate = Inflate()
    for chunk in chunks:
        yield from inflate.feed(chunk)
    inflate.finish()
