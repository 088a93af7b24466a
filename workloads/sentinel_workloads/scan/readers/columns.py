"""Parquet: a row is a document. Row groups are read page by page, three columns at most; memory stays bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from typing_extensions import override

from sentinel_operator.api.scanning import Reading, Work
from sentinel_workloads.scan.readers.document import Document, Fault, Reader, digest_of, name_of, rest_of
from sentinel_workloads.scan.readers.inflate import UnreadableError
from sentinel_workloads.scan.readers.ranged import BLOCK_BYTES, RangedFile
from sentinel_workloads.scan.readers.stream import ObjectStream
from sentinel_workloads.scan.readers.text import text_fault
from sentinel_workloads.scan.store import ObjectStore

MAX_FOOTER_BYTES = 32 * 1024**2
MAX_RATIO, FREE_BYTES = 1000, 64 * 1024**2
BATCH_BYTES, BATCH_ROWS = 1024**2, 256
pa.set_memory_pool(pa.system_memory_pool())  # the others keep what they once had


def opened(store: ObjectStore, key: str, size: int, etag: str, loop: asyncio.AbstractEventLoop) -> pq.ParquetFile:
    """The file, of which only the footer was read. UnreadableError for what is none. Not for the loop's thread."""
    file = RangedFile(store, key, size, etag, loop)
    file.seek(max(0, size - 8))
    tail = file.read(8)
    if tail[4:] != b"PAR1":
        raise UnreadableError("it is not parquet: the mark at its end is missing")
    if (footer := int.from_bytes(tail[:4], "little")) > min(MAX_FOOTER_BYTES, size):
        raise UnreadableError(f"its footer has {footer} bytes; {MAX_FOOTER_BYTES} are read at most")
    try:
        return pq.ParquetFile(pa.PythonFile(file, mode="r"), pre_buffer=False, buffer_size=BLOCK_BYTES)
    except (pa.ArrowException, OSError) as error:
        raise UnreadableError(f"it is not parquet: {str(error)[:200]}") from error


def group_costs(store: ObjectStore, key: str, size: int, etag: str, loop: asyncio.AbstractEventLoop) -> tuple[int, ...]:
    """The bytes of each row group."""
    metadata = opened(store, key, size, etag, loop).metadata
    return tuple(metadata.row_group(index).total_byte_size for index in range(metadata.num_row_groups))


class ParquetRows(Reader):
    """The rows of some row groups, from row `offset` of the file on."""

    def __init__(self, store: ObjectStore, work: Work, reading: Reading, *, offset: int) -> None:
        self._store, self._work, self._reading, self._from = store, work, reading, offset
        self._row = 0
        self._stream = ObjectStream(store, work.object, etag=work.etag, start=0, hashed=work.start == 0)
        self.sha256 = ""

    @override
    async def documents(self) -> AsyncGenerator[Document, None]:
        loop = asyncio.get_running_loop()
        try:
            rows = self._rows(loop)
            while found := await asyncio.to_thread(next, rows, None):
                for document in found:
                    yield document
        except UnreadableError as error:
            fault = Fault(rule="unreadable", message=str(error))
            yield rest_of(self._work, fault)
        await self._stream.digest()
        self.sha256 = self._stream.sha256

    def _rows(self, loop: asyncio.AbstractEventLoop) -> Iterator[list[Document]]:
        """Batches of documents; everything here runs in a thread."""
        work = self._work
        file = opened(self._store, work.object, work.size, work.etag, loop)
        columns = self._columns(file.schema_arrow)
        groups = file.metadata.num_row_groups
        end = groups if work.end < 0 else min(work.end, groups)
        self._row = sum(file.metadata.row_group(index).num_rows for index in range(min(work.start, groups)))
        for index in range(work.start, end):
            group = file.metadata.row_group(index)
            if self._row + group.num_rows <= self._from:
                self._row += group.num_rows
                continue
            reached = work.size * (index + 1 - work.start) // max(1, end - work.start)
            yield from self._group(file, index, columns, batch=_batch_rows(group, columns), reached=reached)

    def _columns(self, schema: pa.Schema) -> list[str]:
        reading = self._reading
        if (count := schema.names.count(reading.text_field)) != 1:
            raise UnreadableError(f"it has {count} columns {reading.text_field!r}; one is needed")
        kind = schema.field(reading.text_field).type
        plain = kind.value_type if pa.types.is_dictionary(kind) else kind
        textual = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
        if not any(matches(plain) for matches in textual):
            raise UnreadableError(f"its column {reading.text_field!r} holds {kind}, not text")
        wanted = dict.fromkeys(name for name in (reading.id_field, reading.label_field) if name in schema.names)
        return [reading.text_field, *(name for name in wanted if name and name != reading.text_field)]

    def _group(
        self, file: pq.ParquetFile, index: int, columns: list[str], *, batch: int, reached: int
    ) -> Iterator[list[Document]]:
        try:
            for rows in file.iter_batches(batch_size=batch, row_groups=[index], columns=columns, use_threads=False):
                values = [_plain(rows.column(rows.schema.get_field_index(name))) for name in columns]
                found = [
                    self._document(dict(zip(columns, row, strict=True)), reached) for row in zip(*values, strict=True)
                ]
                if documents := [document for document in found if document.row >= self._from]:
                    yield documents
        except (pa.ArrowException, OSError) as error:
            raise UnreadableError(f"row group {index}: {str(error)[:200]}") from error

    def _document(self, given: dict[str, Any], reached: int) -> Document:
        raw = given[self._reading.text_field]
        text, fault = "", None
        if raw is None:
            fault = Fault(rule="no-text", message="the row has no text")
        else:
            try:
                text = raw.decode()
            except UnicodeDecodeError as error:
                fault = Fault(rule="not-utf8", message=f"byte {error.start} of the text is not UTF-8")
        fault = fault or text_fault(text, self._reading.max_document_bytes)
        row, self._row = self._row, self._row + 1
        return Document(
            object=self._work.object,
            row=row,
            text="" if fault else text,
            digest=digest_of(raw or b""),
            fault=fault,
            id=name_of(given.get(self._reading.id_field)),
            label=name_of(given.get(self._reading.label_field)),
            next_offset=row + 1,
            reached=reached,
            raw=raw or b"" if fault else b"",
        )


def _batch_rows(group: Any, columns: list[str]) -> int:
    """How many rows are read at once; UnreadableError for a bomb."""
    chunks = [group.column(index) for index in range(group.num_columns)]
    wanted = [chunk for chunk in chunks if chunk.path_in_schema in columns]
    plain = sum(int(chunk.total_uncompressed_size) for chunk in wanted)
    if plain > FREE_BYTES and plain > MAX_RATIO * max(1, sum(chunk.total_compressed_size for chunk in wanted)):
        raise UnreadableError(f"{plain} bytes would come out of a row group: a bomb")
    return max(1, min(BATCH_ROWS, BATCH_BYTES * int(group.num_rows) // max(1, plain)))


def _plain(column: Any) -> list[Any]:
    """The values of a column; texts as their bytes, which need not be UTF-8."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = column.view(pa.large_binary() if pa.types.is_large_string(column.type) else pa.binary())
    values: list[Any] = column.to_pylist()
    return values
