"""Brings the artifact of a configuration into a folder, from whichever source its address names."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path

from sentinel_operator.api.serving import ExitCode, FetchConfig
from sentinel_workloads.fetch.handover import Handover, remove
from sentinel_workloads.fetch.local import LocalSource
from sentinel_workloads.fetch.source import Source
from sentinel_workloads.fetch.transfer import Allowance, bring, bring_all
from sentinel_workloads.fetch.verify import Copy
from sentinel_workloads.objectstore.failures import ChangedError, Failure, TransientError
from sentinel_workloads.objectstore.retry import Patience, persistently
from sentinel_workloads.signature.bundle import MAX_BUNDLE_BYTES

log = logging.getLogger(__name__)
PROGRESS_SECONDS = 5.0
MAX_RESTARTS = 5


async def bring_artifact(config: FetchConfig, handover: Handover) -> Copy:
    """The copy, complete and of one version of the source; with its signature where one is asked for."""
    async with _source(config) as source:
        return await bring_from(source, config, handover)


async def bring_from(source: Source, config: FetchConfig, handover: Handover) -> Copy:
    """The same from a source that is already open."""
    for _ in range(MAX_RESTARTS):
        handover.clear()
        try:
            return await _bring_once(config, source, handover)
        except ChangedError as change:
            # Lets a writer finish.
            await Patience(config.retry).wait(TransientError(str(change), field=source.uri_field))
    message = f"{config.uri} changed {MAX_RESTARTS} times while it was read"
    raise Failure(ExitCode.StorageUnreachable, source.uri_field, message)


async def _bring_once(config: FetchConfig, source: Source, handover: Handover) -> Copy:
    remotes = await source.listing()
    allowance = Allowance(config.max_bytes)
    async with _progress(allowance):
        await bring_all(
            source, remotes, handover.incoming, allowance=allowance, patience=lambda: Patience(config.retry)
        )
        if not source.is_directory and config.verify != "None":
            await _bring_signature(config, source, handover.signature)
    log.info("brought", extra={"files": len(remotes), "bytes": allowance.used})
    return handover.copy(single="" if source.is_directory else remotes[0].path)


async def _bring_signature(config: FetchConfig, source: Source, target: Path) -> None:
    """The signature beside a single file. That there is none is for the verdict to say, not for the transfer."""
    try:
        limit = Allowance(MAX_BUNDLE_BYTES)
        await bring(source, source.signature(), target, allowance=limit, patience=Patience(config.retry))
    except Failure as failure:
        # Stores answer 403 for what is not there to those who may not list.
        if failure.code not in {ExitCode.NotFound, ExitCode.AccessDenied, ExitCode.ArtifactTooLarge}:
            raise
        remove(target)
        log.warning("no signature", extra={"fault": failure.message})


def _source(config: FetchConfig) -> AbstractAsyncContextManager[Source]:
    """The source of the address's scheme; what it needs is imported only then."""
    if config.uri.startswith("s3://"):
        from sentinel_workloads.fetch.s3 import s3_source  # noqa: PLC0415 - botocore takes a second

        return s3_source(config)
    if config.uri.startswith("https://"):
        from sentinel_workloads.fetch.https import https_source  # noqa: PLC0415

        return https_source(config)
    return _local_source(config)


@asynccontextmanager
async def _local_source(config: FetchConfig) -> AsyncIterator[Source]:
    async def look() -> LocalSource:
        return LocalSource.of(config.uri)

    yield await persistently(look, Patience(config.retry))


@asynccontextmanager
async def _progress(allowance: Allowance) -> AsyncIterator[None]:
    async def tell() -> None:
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            log.info("bringing", extra={"bytes": allowance.used, "of": allowance.announced})

    task = asyncio.create_task(tell())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
