"""Artifacts in an S3-compatible store: s3://bucket/key of a file, s3://bucket/prefix/ of a directory."""

from __future__ import annotations

import asyncio
import posixpath
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sentinel_operator.api.serving import ExitCode, FetchConfig
from sentinel_workloads.fetch.source import (
    CHUNK_BYTES,
    MAX_FILES,
    Remote,
    Stream,
    safe_path,
    single_name,
)
from sentinel_workloads.fetch.transfer import PARALLEL
from sentinel_workloads.objectstore.client import s3_client
from sentinel_workloads.objectstore.failures import ChangedError, Failure
from sentinel_workloads.objectstore.faults import translated
from sentinel_workloads.objectstore.place import Place
from sentinel_workloads.objectstore.retry import Patience, persistently
from sentinel_workloads.objectstore.waits import Waits

FIELD = "spec.model.source.objectStore"


class S3Source:
    """One object, or all objects below a prefix."""

    def __init__(self, client: Any, config: FetchConfig, place: Place) -> None:
        self.uri_field = f"{place.field}.uri"
        self._client, self._config, self._place = client, config, place
        self._waits = Waits.within(config.retry)
        self._bucket, self._key = place.split()
        self.is_directory = self._key.endswith("/") or not self._key

    async def listing(self) -> tuple[Remote, ...]:
        """The objects below the prefix with sizes and ETags; the one object without, its GET says them."""
        if not self.is_directory:
            return (Remote(path=single_name(self._config.uri, field=self.uri_field), locator=self._key),)
        return await persistently(self._list, Patience(self._config.retry))

    async def _list(self) -> tuple[Remote, ...]:
        found: list[Remote] = []
        token: dict[str, str] = {}
        while True:
            with translated(self._place):
                async with asyncio.timeout(self._waits.answer):
                    page = await self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._key, **token)
            found.extend(self._remote(item) for item in page.get("Contents", ()) if not _is_marker(item))
            if len(found) > MAX_FILES:
                message = f"{self._config.uri} holds more than {MAX_FILES} objects"
                raise Failure(ExitCode.ArtifactTooLarge, self.uri_field, message)
            if not page.get("IsTruncated"):
                break
            token = {"ContinuationToken": page["NextContinuationToken"]}
        if not found:
            raise Failure(ExitCode.NotFound, self.uri_field, f"there is no object below {self._config.uri}")
        return tuple(found)

    def _remote(self, item: dict[str, Any]) -> Remote:
        path = safe_path(item["Key"].removeprefix(self._key), field=self.uri_field)
        return Remote(path=path, locator=item["Key"], size=item["Size"], version=item.get("ETag", ""))

    def signature(self) -> Remote:
        """`<uri>.sig`."""
        return Remote(path=f"{posixpath.basename(self._key)}.sig", locator=f"{self._key}.sig")

    @asynccontextmanager
    async def open(self, remote: Remote, *, offset: int, version: str) -> AsyncIterator[Stream]:
        """Streams an object; If-Match makes the store itself refuse another version."""
        conditions = {"IfMatch": version} if version else {}
        if offset:
            conditions["Range"] = f"bytes={offset}-"
        with translated(self._place, key=remote.locator):
            async with asyncio.timeout(self._waits.answer):
                answer = await self._client.get_object(Bucket=self._bucket, Key=remote.locator, **conditions)
            async with answer["Body"] as body:
                found = answer.get("ETag", "")
                if version and found != version:  # a store that ignores If-Match
                    raise ChangedError(f"{remote.path} changed while it was read")
                start, size = _extent(answer)
                if start not in {0, offset}:
                    raise ChangedError(f"{remote.path}: the store answered bytes from {start}, not {offset}")
                yield Stream(start, size, found, body.iter_chunks(CHUNK_BYTES))


@asynccontextmanager
async def s3_source(
    config: FetchConfig, *, field: str = FIELD, credentials: Mapping[str, str] | None = None
) -> AsyncIterator[S3Source]:
    """A source with a client of its own. Checksums are not asked for: every byte is checked against the digest."""
    place = Place(config.uri, config.object_store, field)
    async with s3_client(place, retry=config.retry, connections=PARALLEL + 2, credentials=credentials) as client:
        yield S3Source(client, config, place)


def _extent(answer: dict[str, Any]) -> tuple[int, int | None]:
    """First byte of the answer and size of the whole object."""
    whole = answer.get("ContentRange", "")
    if whole.startswith("bytes "):
        start, _, rest = whole.removeprefix("bytes ").partition("-")
        size = rest.partition("/")[2]
        return int(start), int(size) if size.isdigit() else None
    return 0, answer.get("ContentLength")


def _is_marker(item: dict[str, Any]) -> bool:
    # Consoles make empty objects `folder/`, so that an empty folder shows.
    return bool(item["Key"].endswith("/") and not item["Size"])
