"""The documents of a shard in batches, each knowing where the next one begins; read ahead of whoever judges them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from sentinel_operator.api.scanning import ObjectLine, Reading, Work
from sentinel_workloads.objectstore.failures import ChangedError, CorruptError, MissingError
from sentinel_workloads.scan.readers.document import Document, Fault, Reader, rest_of
from sentinel_workloads.scan.readers.opened import open_reader
from sentinel_workloads.scan.shard.ahead import Prefetched
from sentinel_workloads.scan.store import ObjectStore

BATCH_BYTES = 2 * 1024**2
"""Of text in a batch, beyond which it takes no more: long texts make small batches."""


@dataclass(slots=True)
class Batch:
    """What is judged, put aside and written together."""

    documents: list[Document] = field(default_factory=list)
    objects: list[ObjectLine] = field(default_factory=list)
    """Objects that were read to their end."""
    next_work: int = 0
    next_offset: int = 0
    bytes: int = 0
    """Of the shard, read up to its end."""
    done: bool = False
    size: int = 0

    def full(self, count: int) -> bool:
        """Tells whether it takes no more."""
        return len(self.documents) >= count or self.size >= BATCH_BYTES or len(self.objects) >= 4 * count


class Batches:
    """Reads a shard from a position on. Equal positions give equal batches."""

    def __init__(
        self, source: ObjectStore, work: Sequence[Work], reading: Reading, *, batch_size: int, begin: tuple[int, int]
    ) -> None:
        self._source, self._work, self._reading = source, work, reading
        self._count, self._begin = batch_size, begin
        self._prefetched = Prefetched(source, work, reading)

    async def all(self) -> AsyncGenerator[Batch, None]:
        """The batches; the last says so. One is read while another is judged."""
        queue: asyncio.Queue[Batch | None] = asyncio.Queue(maxsize=1)

        async def fill() -> None:
            try:
                async with aclosing(self._assembled()) as batches:
                    async for batch in batches:
                        await queue.put(batch)
            finally:
                await queue.put(None)

        filling = asyncio.create_task(fill())
        try:
            while batch := await queue.get():
                yield batch
            await filling
        finally:
            filling.cancel()
            while not queue.empty():
                queue.get_nowait()
            await asyncio.gather(filling, return_exceptions=True)
            await self._prefetched.close()

    async def _assembled(self) -> AsyncGenerator[Batch, None]:
        first, offset = self._begin
        done_bytes = sum(map(length_of, self._work[:first]))
        batch = Batch(next_work=first, next_offset=offset, bytes=done_bytes)
        for index in range(first, len(self._work)):
            work = self._work[index]
            reader = self._reader(index, offset)
            async with aclosing(self._documents(work, reader)) as documents:
                async for document in documents:
                    batch.documents.append(document)
                    batch.size += len(document.text) + len(document.raw)
                    batch.next_work, batch.next_offset = index, document.next_offset
                    batch.bytes = done_bytes + min(document.reached, length_of(work))
                    if batch.full(self._count):
                        yield batch
                        batch = Batch(next_work=index, next_offset=document.next_offset, bytes=batch.bytes)
            offset, done_bytes = 0, done_bytes + length_of(work)
            if not work.start:
                batch.objects.append(_object_line(work, reader.sha256))
            batch.next_work, batch.next_offset, batch.bytes = index + 1, 0, done_bytes
            if batch.full(self._count) and index + 1 < len(self._work):
                yield batch
                batch = Batch(next_work=index + 1, bytes=done_bytes)
        batch.done = True
        yield batch

    def _reader(self, index: int, offset: int) -> Reader:
        ahead = self._prefetched.reader(index) if not offset else None
        return ahead or open_reader(self._source, self._work[index], self._reading, offset=offset)

    async def _documents(self, work: Work, reader: Reader) -> AsyncGenerator[Document, None]:
        """The documents of a part, and one for what could not be read of it because it is no longer as it was."""
        try:
            async with aclosing(reader.documents()) as documents:
                async for document in documents:
                    yield document
        except ChangedError:
            yield rest_of(work, Fault(rule="changed-during-scan", message="the object is not what it was when planned"))
        except MissingError:
            yield rest_of(work, Fault(rule="vanished", message="the object is no longer there"))
        except CorruptError as error:
            yield rest_of(work, Fault(rule="wrong-checksum", message=str(error)))


def length_of(work: Work) -> int:
    """Bytes of a part; of row groups, an estimate."""
    if work.end < 0:
        return work.size
    return work.end - work.start if work.format == "jsonl" else work.size // max(1, work.end)


def _object_line(work: Work, sha256: str) -> ObjectLine:
    return ObjectLine(object=work.object, size=work.size, etag=work.etag, format=work.format, sha256=sha256)
