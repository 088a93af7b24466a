"""Rows read once more: a shard took them for harmless, and kept nothing of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from sentinel_operator.api.scanning import ObjectLine, Reading, ResultLine, Work
from sentinel_workloads.objectstore.failures import ChangedError, CorruptError, MissingError
from sentinel_workloads.scan.plan.stored import Plan, read_work
from sentinel_workloads.scan.readers.document import Document
from sentinel_workloads.scan.readers.opened import open_reader
from sentinel_workloads.scan.store import ObjectStore


async def cut_objects(output: ObjectStore, plan: Plan) -> frozenset[str]:
    """The objects that were judged in parts: their rows are known by other numbers."""
    found: set[str] = set()
    for index in range(len(plan.shards)):
        found.update(work.object for work in await read_work(output, plan, index) if work.end >= 0)
    return frozenset(found)


class Again:
    """The documents of objects, asked for in the order of the results."""

    def __init__(self, source: ObjectStore, reading: Reading, *, cut: frozenset[str]) -> None:
        self._source, self._reading, self._cut = source, reading, cut
        self._object = ""
        self._documents: AsyncGenerator[Document, None] | None = None

    async def find(self, known: ObjectLine, line: ResultLine) -> Document | None:
        """The document of a result; None when its object is no longer what was judged."""
        if self._object != known.object:
            await self.close()
            self._object = known.object
            self._documents = open_reader(self._source, self._whole(known), self._reading, offset=0).documents()
        try:
            while self._documents and (document := await anext(self._documents, None)):
                if document.row == line.row:
                    return document if document.digest == line.digest else None
        except (ChangedError, CorruptError, MissingError):
            await self.close()
        return None

    async def close(self) -> None:
        """Lets go of the object that is open."""
        if self._documents:
            await self._documents.aclose()
        self._documents = None

    def _whole(self, known: ObjectLine) -> Work:
        end = known.size if known.object in self._cut and known.format == "jsonl" else -1
        return Work(object=known.object, size=known.size, etag=known.etag, format=known.format, end=end)
