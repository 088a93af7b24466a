"""One fetch from configuration to handover: bring, verify the copy, hand it over; or say why not."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path

from sentinel_operator.api.serving import ExitCode, FetchConfig, Verification
from sentinel_workloads.fetch.bring import bring_artifact, bring_from
from sentinel_workloads.fetch.cache import Cache
from sentinel_workloads.fetch.config import fingerprint
from sentinel_workloads.fetch.handover import Handover
from sentinel_workloads.fetch.signature.authority import Judge, load_judges
from sentinel_workloads.fetch.source import single_name
from sentinel_workloads.fetch.verify import Copy, verify_copy
from sentinel_workloads.objectstore.failures import Failure

log = logging.getLogger(__name__)
POISONED = {ExitCode.DigestMismatch, ExitCode.InvalidConfig, ExitCode.ArtifactTooLarge, ExitCode.NotFound}


async def fetch(config: FetchConfig, out: Path) -> Verification:
    """The verdict on the artifact that now lies in `out`. After a Failure nothing of it is left there."""
    handover = Handover(out)
    mark = fingerprint(config)
    if done := await asyncio.to_thread(handover.finished, mark):
        log.info("already fetched; the copy is unchanged", extra={"digest": done.digest})
        return done
    cache = _cache_of(config)
    try:
        handover.clear()
        judges = await asyncio.to_thread(load_judges, config.authorities) if config.verify != "None" else ()
        if config.require_scan:
            from sentinel_workloads.fetch.scanned import demand_scan  # noqa: PLC0415 - few models ask for it

            await demand_scan(config, config.require_scan)
        copy, verification = await _bring_and_verify(config, handover, judges, cache)
        copy = handover.publish(copy, verification, fingerprint=mark)
    finally:
        handover.discard()
    if cache and not verification.from_cache:
        await asyncio.to_thread(cache.keep, copy, verification.digest)
    return verification


def _cache_of(config: FetchConfig) -> Cache | None:
    """Without a wanted digest no entry could be told from another."""
    return (
        Cache(Path(config.cache_dir), max_bytes=config.cache_max_bytes) if config.cache_dir and config.digest else None
    )


async def _bring_and_verify(
    config: FetchConfig, handover: Handover, judges: tuple[Judge, ...], cache: Cache | None
) -> tuple[Copy, Verification]:
    try:
        copy = await bring_artifact(config, handover)
    except Failure as failure:
        if failure.code is not ExitCode.StorageUnreachable or not cache:
            raise
        log.warning("storage cannot be reached; looking in the cache", extra={"fault": failure.message})
        return await _from_cache(config, handover, judges, cache, unreachable=failure)
    return copy, await _verified(copy, config, judges)


async def _from_cache(
    config: FetchConfig, handover: Handover, judges: tuple[Judge, ...], cache: Cache, *, unreachable: Failure
) -> tuple[Copy, Verification]:
    """A cached copy, copied and verified like any other; the storage's fault when it does not do."""
    try:
        name = "" if config.uri.endswith("/") else single_name(config.uri, field="spec.model.source")
        if not (source := cache.source(config.digest, name=name)):
            raise _unreachable(unreachable, "the artifact is not in the cache")
        copy = await bring_from(source, config, handover)
        verification = await _verified(copy, config, judges)
    except Failure as failure:
        if failure is unreachable or failure.code is ExitCode.StorageUnreachable:
            raise
        if failure.code in POISONED:
            log.error("the cached copy is not what its name says; deleted", extra={"fault": failure.message})  # noqa: TRY400
            cache.drop(config.digest)
        raise _unreachable(unreachable, f"the cached copy is not accepted: {failure.message}") from failure
    return copy, verification.model_copy(update={"from_cache": True})


async def _verified(copy: Copy, config: FetchConfig, judges: tuple[Judge, ...]) -> Verification:
    return await asyncio.to_thread(verify_copy, copy, config, judges, now=datetime.now(UTC))


def _unreachable(failure: Failure, why: str) -> Failure:
    return Failure(failure.code, failure.field, f"{failure.message}; {why}")
