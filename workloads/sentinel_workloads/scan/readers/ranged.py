"""An object of a store as a file for a thread: what is asked for is read, a megabyte at least, and no more held."""

from __future__ import annotations

import asyncio
import io
from contextlib import aclosing

from typing_extensions import override

from sentinel_workloads.scan.store import ObjectStore

BLOCK_BYTES = 1 << 20


class RangedFile(io.RawIOBase):
    """Reads ranges of one version of an object through the event loop. For threads other than the loop's."""

    def __init__(self, store: ObjectStore, key: str, size: int, etag: str, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._store, self._key, self._size, self._etag, self._loop = store, key, size, etag, loop
        self._position = 0
        self._block, self._block_start = b"", 0

    @override
    def readable(self) -> bool:
        return True

    @override
    def seekable(self) -> bool:
        return True

    @override
    def tell(self) -> int:
        return self._position

    @override
    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    @override
    def read(self, size: int = -1) -> bytes:
        wanted = self._size - self._position if size < 0 else min(size, self._size - self._position)
        if wanted <= 0:
            return b""
        begin = self._position - self._block_start
        if not 0 <= begin <= begin + wanted <= len(self._block):
            self._load(self._position, max(wanted, BLOCK_BYTES))
            begin = 0
        found = self._block[begin : begin + wanted]
        self._position += len(found)
        return found

    def _load(self, start: int, size: int) -> None:
        end = min(self._size, start + size)
        self._block, self._block_start = b"", 0
        self._block = asyncio.run_coroutine_threadsafe(self._read(start, end), self._loop).result()
        self._block_start = start

    async def _read(self, start: int, end: int) -> bytes:
        async with aclosing(self._store.read(self._key, start=start, end=end, etag=self._etag)) as chunks:
            return b"".join([chunk async for chunk in chunks])
