"""A CSV with a header: each record is a document, line ends within quotes and all."""

from __future__ import annotations

import csv
from collections.abc import AsyncGenerator
from contextlib import aclosing

from typing_extensions import override

from sentinel_operator.api.scanning import Reading, Work
from sentinel_workloads.scan.readers.document import Document, Fault, Reader, digest_of, name_of, rest_of
from sentinel_workloads.scan.readers.inflate import UnreadableError
from sentinel_workloads.scan.readers.quoting import Quoting
from sentinel_workloads.scan.readers.record import Record
from sentinel_workloads.scan.readers.stream import ObjectStream
from sentinel_workloads.scan.readers.text import text_fault
from sentinel_workloads.scan.store import ObjectStore

MAX_COLUMNS = 10_000
BOM = "\ufeff"
csv.field_size_limit(2**31 - 1)  # records are bounded before they are parsed


class CsvFile(Reader):
    """The records of a whole file, from row `offset` on; those before are read again, as only they tell where it is."""

    def __init__(self, store: ObjectStore, work: Work, reading: Reading, *, offset: int) -> None:
        self._work, self._reading, self._from = work, reading, offset
        self._delimiter = "\t" if work.object.lower().removesuffix(".gz").endswith(".tsv") else ","
        self._stream = ObjectStream(store, work.object, etag=work.etag, start=0, hashed=True)
        self._header: dict[str, int] = {}
        self._columns = 0
        self.sha256 = ""

    @override
    async def documents(self) -> AsyncGenerator[Document, None]:
        row = -1
        try:
            async with aclosing(self._records()) as records:
                async for record in records:
                    if not record.too_long and not record.raw.strip(b" \t\r"):
                        continue
                    row += 1
                    if row == 0:
                        self._read_header(record)
                    elif row > self._from:
                        yield self._document(record, row - 1)
        except UnreadableError as error:
            yield rest_of(self._work, Fault(rule="unreadable", message=str(error)))
            await self._stream.digest()
        self.sha256 = self._stream.sha256

    async def _records(self) -> AsyncGenerator[Record, None]:
        quoting, record = Quoting(self._delimiter.encode()), self._record()
        async with aclosing(self._stream.pieces()) as pieces:
            async for piece in pieces:
                quoting.feed(piece.data)
                goes_on = piece.ends and not quoting.line_ends_record()
                record.add(piece, newline=goes_on)
                if piece.ends and not goes_on:
                    yield record
                    record = self._record()
        if record.start >= 0:
            yield record  # its quote is never closed

    def _record(self) -> Record:
        return Record(limit=2 * self._reading.max_document_bytes)

    def _read_header(self, record: Record) -> None:
        if record.too_long or record.raw.count(self._delimiter.encode()) >= MAX_COLUMNS:
            raise UnreadableError(f"the header has more than {MAX_COLUMNS} columns")
        try:
            names = self._fields(record.raw.decode().removeprefix(BOM))
        except (UnicodeDecodeError, csv.Error) as error:
            raise UnreadableError(f"the header cannot be read: {error}") from error
        wanted = [self._reading.text_field, self._reading.id_field, self._reading.label_field]
        if (count := names.count(wanted[0])) != 1:
            raise UnreadableError(f"the header has {count} columns {wanted[0]!r}; one is needed")
        self._columns = len(names)
        self._header = {name: names.index(name) for name in wanted if name and name in names}

    def _fields(self, text: str) -> list[str]:
        rows = list(csv.reader([text.removesuffix("\r")], delimiter=self._delimiter))
        if len(rows) != 1:
            raise csv.Error("it is not one record")
        return rows[0]

    def _document(self, record: Record, row: int) -> Document:
        fields: list[str] = []
        if record.too_long:
            fault: Fault | None = Fault(rule="too-large", message=f"the record has {record.size} bytes")
        else:
            fields, fault = self._parsed(record)
        text = fields[self._header[self._reading.text_field]] if fields else ""
        fault = fault or text_fault(text, self._reading.max_document_bytes)
        return Document(
            object=self._work.object,
            row=row,
            text="" if fault else text,
            digest=record.digest if fault else digest_of(text.encode()),
            fault=fault,
            id=self._named(fields, self._reading.id_field),
            label=self._named(fields, self._reading.label_field),
            next_offset=row + 1,
            reached=min(self._work.size, record.start + record.size + 1),
            raw=record.raw if fault else b"",
        )

    def _parsed(self, record: Record) -> tuple[list[str], Fault | None]:
        try:
            fields = self._fields(record.raw.decode())
        except UnicodeDecodeError as error:
            return [], Fault(rule="not-utf8", message=f"byte {record.start + error.start} of the object is not UTF-8")
        except csv.Error as error:
            return [], Fault(rule="not-csv", message=f"the record cannot be read: {error}")
        if len(fields) != self._columns:
            return [], Fault(rule="not-csv", message=f"the record has {len(fields)} fields, the header {self._columns}")
        return fields, None

    def _named(self, fields: list[str], field: str) -> str:
        return name_of(fields[self._header[field]]) if fields and field in self._header else ""
