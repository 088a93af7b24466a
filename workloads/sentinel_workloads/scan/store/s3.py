"""A prefix of an S3-compatible store, whose faults are waited out."""

from __future__ import annotations

import asyncio
import os
import posixpath
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar

from typing_extensions import override

from sentinel_operator.api.serving import Retry
from sentinel_workloads.objectstore.failures import ChangedError, CorruptError, MissingError, TransientError
from sentinel_workloads.objectstore.faults import translated
from sentinel_workloads.objectstore.place import Place
from sentinel_workloads.objectstore.retry import Patience, persistently
from sentinel_workloads.objectstore.waits import Waits
from sentinel_workloads.scan.store.protocol import CHUNK_BYTES, Found, ObjectStore

MAX_COPY_BYTES = 1024**3
"""More is not copied by one request: it would take longer than a connection stays silent."""
MAX_CARRIED_BYTES = 64 * 1024**2
SLOWEST = 1024**2
"""Bytes a second, below which a write is taken for stuck."""
TAKEN = {"PreconditionFailed", "ConditionalRequestConflict"}
T = TypeVar("T")


class S3Store(ObjectStore):
    """Objects below a prefix, or the one object that an address without `/` at its end names."""

    def __init__(self, client: Any, place: Place, *, retry: Retry, credentials_dir: str = "") -> None:
        self._client, self._place, self._retry = client, place, retry
        self._waits = Waits.within(retry)
        self.uri, self.field = place.uri, place.field
        self._bucket, key = place.split()
        self._only = "" if key.endswith("/") else posixpath.basename(key)
        self._prefix = key.removesuffix(self._only) if self._only else key
        self._reached_by = (place.access, credentials_dir)

    @override
    async def list(self, below: str = "") -> AsyncIterator[Found]:
        if self._only:
            found = await self.head(self._only)
            if found and self._only.startswith(below):
                yield found
            return
        token: dict[str, str] = {}
        while True:
            page = await self._asked(lambda: self._page(below, token))  # noqa: B023 - it is awaited at once
            for item in page.get("Contents", ()):
                if not (item["Key"].endswith("/") and not item["Size"]):  # the mark of an empty folder
                    yield Found(item["Key"].removeprefix(self._prefix), item["Size"], item.get("ETag", ""))
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    async def _page(self, below: str, token: dict[str, str]) -> dict[str, Any]:
        page: dict[str, Any] = await self._client.list_objects_v2(
            Bucket=self._bucket, Prefix=self._prefix + below, **token
        )
        return page

    @override
    async def read(
        self, key: str, *, start: int = 0, end: int | None = None, etag: str = ""
    ) -> AsyncGenerator[bytes, None]:
        if end is not None and end <= start:
            return
        patience, offset = Patience(self._retry), start
        while True:
            pieces = _Pieces(self, key, offset, end, etag)
            try:
                async with aclosing(pieces.all()) as chunks:
                    async for chunk in chunks:
                        offset += len(chunk)
                        yield chunk
                        patience.progress()  # who reads may have taken its time
            except CorruptError:
                raise  # what was given out before is wrong
            except TransientError as fault:
                await patience.wait(fault)
            else:
                if pieces.until is None or offset >= pieces.until:
                    return
                cut = f"{key}: {offset} of {pieces.until} bytes came"
                await patience.wait(TransientError(cut, field=f"{self.field}.uri"))
            etag = etag or pieces.etag

    @override
    async def get(self, key: str, *, limit: int, etag: str = "") -> bytes:
        patience = Patience(self._retry)
        while True:
            found = bytearray()
            try:
                async with aclosing(self.read(key, etag=etag)) as chunks:
                    async for chunk in chunks:
                        found += chunk
                        if len(found) > limit:
                            raise ValueError(f"{key} has more than {limit} bytes")
            except CorruptError as fault:
                await patience.wait(fault)
            else:
                return bytes(found)

    @override
    async def put(self, key: str, body: bytes | Path, *, only_new: bool = False) -> bool:
        condition = {"IfNoneMatch": "*"} if only_new else {}

        async def once() -> bool:
            with translated(self._place, key=self._prefix + key):
                try:
                    if isinstance(body, bytes):
                        await self._put(key, body, condition)
                    else:
                        with body.open("rb") as file:
                            await self._put(key, file, condition)
                except self._client.exceptions.ClientError as error:
                    if only_new and error.response.get("Error", {}).get("Code") in TAKEN:
                        return False
                    raise
            return True

        return await persistently(once, Patience(self._retry))

    async def _put(self, key: str, body: Any, condition: dict[str, str]) -> None:
        size = len(body) if isinstance(body, bytes) else os.fstat(body.fileno()).st_size
        async with asyncio.timeout(self._waits.answer + size / SLOWEST):
            await self._client.put_object(Bucket=self._bucket, Key=self._prefix + key, Body=body, **condition)

    @override
    async def copy_from(self, source: ObjectStore, key: str, *, to: str, etag: str = "") -> bool:
        if isinstance(source, S3Store) and source._reached_by == self._reached_by:
            found = await source.head(key)
            if found and found.size > MAX_COPY_BYTES:
                return False
            whence = {"Bucket": source._bucket, "Key": source._prefix + key}
            condition = {"CopySourceIfMatch": etag} if etag else {}
            await self._asked(
                lambda: self._client.copy_object(
                    Bucket=self._bucket, Key=self._prefix + to, CopySource=whence, **condition
                ),
                key=source._prefix + key,
                seconds=(found.size if found else 0) / SLOWEST,
            )
            return True
        try:
            body = await source.get(key, limit=MAX_CARRIED_BYTES, etag=etag)
        except ValueError:
            return False
        return await self.put(to, body)

    @override
    async def delete(self, key: str, *, etag: str = "") -> None:
        if etag:
            found = await self.head(key)
            if not found:
                return
            if found.etag != etag:
                raise ChangedError(f"{self.uri}{key} is no longer the object that was judged")
        await self._asked(lambda: self._client.delete_object(Bucket=self._bucket, Key=self._prefix + key), key=key)

    @override
    async def head(self, key: str) -> Found | None:
        try:
            answer = await self._asked(
                lambda: self._client.head_object(Bucket=self._bucket, Key=self._prefix + key), key=self._prefix + key
            )
        except MissingError:
            return None
        return Found(key, answer["ContentLength"], answer.get("ETag", ""))

    async def _asked(self, ask: Callable[[], Awaitable[T]], *, key: str = "", seconds: float = 0.0) -> T:
        async def once() -> T:
            with translated(self._place, key=key):
                async with asyncio.timeout(self._waits.answer + seconds):
                    return await ask()

        return await persistently(once, Patience(self._retry))


class _Pieces:
    """One attempt at a part of an object."""

    def __init__(self, store: S3Store, key: str, start: int, end: int | None, etag: str) -> None:
        self._store, self._key, self._start, self._end, self.etag = store, key, start, end, etag
        self.until: int | None = None
        """Where the part ends, once the store has answered."""

    async def all(self) -> AsyncGenerator[bytes, None]:
        store, full_key = self._store, self._store._prefix + self._key
        ask: dict[str, Any] = {"IfMatch": self.etag} if self.etag else {}
        if self._start or self._end is not None:
            ask["Range"] = f"bytes={self._start}-{self._end - 1 if self._end is not None else ''}"
        else:
            ask["ChecksumMode"] = "ENABLED"
        with translated(store._place, key=full_key):
            async with asyncio.timeout(store._waits.answer):
                answer = await store._client.get_object(Bucket=store._bucket, Key=full_key, **ask)
            async with answer["Body"] as body:
                self._check(answer)
                async for chunk in body.iter_chunks(CHUNK_BYTES):
                    yield chunk

    def _check(self, answer: dict[str, Any]) -> None:
        found = answer.get("ETag", "")
        if self.etag and found != self.etag:  # a store that ignores If-Match
            raise ChangedError(f"{self._key} changed while it was read")
        self.etag = found
        given = answer.get("ContentRange", "")
        start = int(given.removeprefix("bytes ").partition("-")[0]) if given.startswith("bytes ") else 0
        if start != self._start:
            raise ChangedError(f"{self._key}: the store answered bytes from {start}, not {self._start}")
        self.until = start + answer["ContentLength"]
