"""A JSON object a line: each is a document, whatever it is; lines of any length pass, those too long unjudged."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from typing_extensions import override

from sentinel_operator.api.scanning import Reading, Work
from sentinel_workloads.scan.readers.document import Document, Fault, Reader, digest_of, name_of, rest_of
from sentinel_workloads.scan.readers.inflate import UnreadableError
from sentinel_workloads.scan.readers.record import Record
from sentinel_workloads.scan.readers.stream import ObjectStream
from sentinel_workloads.scan.readers.text import text_fault
from sentinel_workloads.scan.store import ObjectStore

BOM = b"\xef\xbb\xbf"


class JsonLines(Reader):
    """The lines that begin in a range, from `offset` on. An uncut object's are numbered, a part's known by their byte.

    The range that begins the object reads it to its end, for its digest.
    """

    def __init__(self, store: ObjectStore, work: Work, reading: Reading, *, offset: int) -> None:
        self._work, self._reading = work, reading
        self._numbered = work.end < 0
        self._end = work.end if work.end >= 0 else None
        self._offset = max(offset, work.start)
        # A line belongs to the range that it begins in; whether one begins at `start`, the byte before it says.
        self._halfway = offset <= work.start and work.start > 0
        begin = work.start - 1 if self._halfway else self._offset
        self._stream = ObjectStream(store, work.object, etag=work.etag, start=begin, hashed=work.start == 0)
        self.sha256 = ""

    @override
    async def documents(self) -> AsyncGenerator[Document, None]:
        if self._end is not None and self._work.start and self._offset >= self._end:
            return
        try:
            async with aclosing(self._documents()) as documents:
                async for document in documents:
                    yield document
        except UnreadableError as error:
            yield rest_of(self._work, Fault(rule="unreadable", message=str(error)))
            await self._stream.digest()
        self.sha256 = self._stream.sha256

    async def _documents(self) -> AsyncGenerator[Document, None]:
        record, row, halfway = self._record(), -1, self._halfway
        async with aclosing(self._stream.pieces()) as pieces:
            async for piece in pieces:
                if halfway and self._end is not None and piece.start >= self._end:
                    return  # a line that goes beyond the range: none begins in it, and its end is another's to find
                begins = record.start if record.start >= 0 else piece.start
                if self._end is not None and begins >= self._end:
                    if not self._work.start:
                        continue  # the rest of the object counts for its digest alone
                    return
                record.add(piece)
                if not piece.ends:
                    continue
                row += 1
                self._offset = piece.start + len(piece.data) + 1
                if halfway:
                    halfway = False
                elif record.too_long or record.raw.strip(b" \t\r"):
                    yield self._document(record, row + self._stream.lines_before)
                record = self._record()

    def _record(self) -> Record:
        return Record(limit=2 * self._reading.max_document_bytes)  # what escapes a text takes room too

    def _document(self, record: Record, number: int) -> Document:
        text, given = "", dict[str, Any]()
        if record.too_long:
            fault: Fault | None = Fault(rule="too-large", message=f"the line has {record.size} bytes")
        else:
            text, given, fault = self._parsed(record)
        fault = fault or text_fault(text, self._reading.max_document_bytes)
        ended = self._end if self._end is not None else self._work.size
        return Document(
            object=self._work.object,
            row=number if self._numbered else record.start,
            text="" if fault else text,
            digest=record.digest if fault else digest_of(text.encode()),
            fault=fault,
            id=name_of(given.get(self._reading.id_field)) if self._reading.id_field else "",
            label=name_of(given.get(self._reading.label_field)) if self._reading.label_field else "",
            next_offset=self._offset,
            reached=max(0, min(self._offset, ended) - self._work.start),
            raw=record.raw if fault else b"",
        )

    def _parsed(self, record: Record) -> tuple[str, dict[str, Any], Fault | None]:
        raw = record.raw.removeprefix(BOM) if record.start == 0 else record.raw
        try:
            value = _loaded(raw.decode(), self._reading.text_field)
        except UnicodeDecodeError as error:
            position = record.start + len(record.raw) - len(raw) + error.start
            return "", {}, Fault(rule="not-utf8", message=f"byte {position} of the object is not UTF-8")
        except _AmbiguousError:
            return "", {}, Fault(rule="ambiguous", message=f"the line has {self._reading.text_field!r} more than once")
        except (ValueError, RecursionError) as error:
            return "", {}, Fault(rule="not-json", message=f"the line is not JSON: {str(error)[:200]}")
        if not isinstance(value, dict):
            return "", {}, Fault(rule="no-text", message="the line is not a JSON object")
        text = value.get(self._reading.text_field)
        if not isinstance(text, str):
            kind = "no text" if text is None else "something that is no text"
            return "", value, Fault(rule="no-text", message=f"the line has {kind} under {self._reading.text_field!r}")
        return text, value, None


class _AmbiguousError(ValueError):
    pass


def _loaded(line: str, field: str) -> Any:
    """The value of a line. Parsers differ in which of two equal keys they take, so there may not be two."""
    if line.count(f'"{field}"') < 2 and "\\u" not in line:
        return json.loads(line)

    def single(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if sum(key == field for key, _ in pairs) > 1:
            raise _AmbiguousError
        return dict(pairs)

    return json.loads(line, object_pairs_hook=single)
