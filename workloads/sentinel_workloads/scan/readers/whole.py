"""Objects that are one document each."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing

from typing_extensions import override

from sentinel_operator.api.scanning import Reading, Work
from sentinel_workloads.scan.plan.formats import is_compressed
from sentinel_workloads.scan.readers.document import EXHAUSTED, Document, Fault, Reader, digest_of
from sentinel_workloads.scan.readers.inflate import UnreadableError, inflated
from sentinel_workloads.scan.readers.text import decoded, not_text
from sentinel_workloads.scan.store import ObjectStore


class WholeObject(Reader):
    """The one document; an object that is too large is read for its digest, and not held."""

    def __init__(self, store: ObjectStore, work: Work, reading: Reading) -> None:
        self._store, self._work, self._limit = store, work, reading.max_document_bytes
        self.sha256 = ""

    @override
    async def documents(self) -> AsyncGenerator[Document, None]:
        yield await self.document()

    async def document(self) -> Document:
        """The object as a document."""
        if self._work.size > self._limit:
            return await self._too_large()
        try:
            raw = await self._store.get(self._work.object, limit=self._limit, etag=self._work.etag)
        except ValueError:
            return await self._too_large()
        self.sha256 = hashlib.sha256(raw).hexdigest()
        content, fault = self._content(raw)
        text = ""
        if not fault:
            fault = not_text(content, known=self._work.format == "txt")
        if not fault:
            text, fault = decoded(content)
        return self._document(digest_of(content), text=text, fault=fault, raw=raw if fault else b"")

    def _content(self, raw: bytes) -> tuple[bytes, Fault | None]:
        if not is_compressed(self._work.object):
            return raw, None
        content = bytearray()
        try:
            for piece in inflated(iter((raw,))):
                content += piece
                if len(content) > self._limit:
                    return raw, Fault(rule="too-large", message=f"more than {self._limit} bytes come out of the object")
        except UnreadableError as error:
            return raw, Fault(rule="unreadable", message=str(error))
        return bytes(content), None

    async def _too_large(self) -> Document:
        seen = hashlib.sha256()
        async with aclosing(self._store.read(self._work.object, etag=self._work.etag)) as chunks:
            async for chunk in chunks:
                seen.update(chunk)
        self.sha256 = seen.hexdigest()
        message = f"the object has {self._work.size} bytes; {self._limit} are judged at most"
        return self._document(f"sha256:{self.sha256}", fault=Fault(rule="too-large", message=message))

    def _document(self, digest: str, *, text: str = "", fault: Fault | None, raw: bytes = b"") -> Document:
        return Document(
            object=self._work.object,
            row=0,
            text=text,
            digest=digest,
            fault=fault,
            next_offset=EXHAUSTED,
            reached=self._work.size,
            whole=True,
            raw=raw,
        )


class DigestOnly(Reader):
    """A part of which all documents were read before, but the digest of whose object is not known."""

    def __init__(self, store: ObjectStore, work: Work) -> None:
        self._store, self._work = store, work
        self.sha256 = ""

    @override
    async def documents(self) -> AsyncGenerator[Document, None]:
        if not self._work.start:
            seen = hashlib.sha256()
            async with aclosing(self._store.read(self._work.object, etag=self._work.etag)) as chunks:
                async for chunk in chunks:
                    seen.update(chunk)
            self.sha256 = seen.hexdigest()
        return
        yield  # it has none
