"""Artifacts in an S3-compatible store: s3://bucket/key of a file, s3://bucket/prefix/ of a directory."""

from __future__ import annotations

import asyncio
import posixpath
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore import UNSIGNED

from sentinel_operator.api.serving import ExitCode, FetchConfig
from sentinel_workloads.fetch.failures import ChangedError, Failure
from sentinel_workloads.fetch.retry import Patience, persistently
from sentinel_workloads.fetch.s3_faults import FIELD, translated
from sentinel_workloads.fetch.source import (
    CHUNK_BYTES,
    MAX_FILES,
    Remote,
    Stream,
    Waits,
    safe_path,
    single_name,
    trust_of,
)
from sentinel_workloads.fetch.transfer import PARALLEL

BUCKET = re.compile(r"[a-z0-9][-.a-z0-9]{1,61}[a-z0-9]")


class S3Source:
    """One object, or all objects below a prefix."""

    uri_field = f"{FIELD}.uri"

    def __init__(self, client: Any, config: FetchConfig) -> None:
        self._client, self._config = client, config
        self._waits = Waits.within(config.retry)
        self._bucket, self._key = split(config.uri)
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
            with translated(self._config):
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
        with translated(self._config, key=remote.locator):
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


def split(uri: str) -> tuple[str, str]:
    """Bucket and key of an s3:// address."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    if not BUCKET.fullmatch(bucket):
        raise Failure(ExitCode.InvalidConfig, f"{FIELD}.uri", f"{uri!r} names no bucket that there can be")
    return bucket, key


@asynccontextmanager
async def s3_source(config: FetchConfig) -> AsyncIterator[S3Source]:
    """A source with a client of its own. Retries are ours, so the client makes none."""
    access = config.object_store
    if access.ca_file:
        trust_of(access.ca_file, field=f"{FIELD}.caBundle")  # the client would find out only when it connects
    waits = Waits.within(config.retry)
    settings = AioConfig(
        connect_timeout=waits.connect,
        read_timeout=waits.read,
        retries={"total_max_attempts": 1},
        max_pool_connections=PARALLEL + 2,
        signature_version=UNSIGNED if access.anonymous else None,
        s3={"addressing_style": "path" if access.endpoint else "auto"},
        # Every byte is checked against the digest afterwards.
        response_checksum_validation="when_required",
    )
    session = get_session()
    # A pod acts as itself, never as the node that it happens to run on.
    session.get_component("credential_provider").remove("iam-role")
    with translated(config):
        client = session.create_client(
            "s3",
            region_name=access.region,
            endpoint_url=access.endpoint or None,
            verify=access.ca_file or None,
            config=settings,
        )
        client = await client.__aenter__()
    try:
        yield S3Source(client, config)
    finally:
        await client.__aexit__(None, None, None)


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
