"""What each pod of a scan does, and how it says how that ended."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sentinel_operator.api.base import Model
from sentinel_operator.api.scanning import (
    DETECTOR,
    DetectorDescription,
    Progress,
    ScanConfig,
    ScanExit,
    ScanFailure,
    ShardOutcome,
)
from sentinel_workloads.objectstore.failures import Failure
from sentinel_workloads.scan.cache.cached import Cache
from sentinel_workloads.scan.cache.compact import compact
from sentinel_workloads.scan.dataset.conclusion import Conclusion
from sentinel_workloads.scan.judged import Detects
from sentinel_workloads.scan.lines import line_of
from sentinel_workloads.scan.opened import Stores, open_detector, open_stores
from sentinel_workloads.scan.plan.make import make_plan
from sentinel_workloads.scan.plan.stored import read_work, require_plan
from sentinel_workloads.scan.quarantine.again import cut_objects
from sentinel_workloads.scan.quarantine.finish import finish_quarantine
from sentinel_workloads.scan.quarantine.put import Quarantine
from sentinel_workloads.scan.shard.batches import length_of
from sentinel_workloads.scan.shard.listen import listening
from sentinel_workloads.scan.shard.run import Shard, StoppedError, run_shard
from sentinel_workloads.scan.shard.tally import Tally

log = logging.getLogger(__name__)
TERMINATED = 128 + signal.SIGTERM
Opener = Callable[[ScanConfig], Detects]
Ended = tuple[Model, int]


async def plan(config: ScanConfig, *, port: int) -> Ended:
    """The plan pod."""
    async with (
        listening(port, progress=lambda: Progress(step="plan"), metrics=lambda: b""),
        open_stores(config) as stores,
    ):
        return await make_plan(config, source=stores.source, output=stores.output), ScanExit.Ok


async def shard(config: ScanConfig, *, index: int, port: int, opener: Opener = open_detector) -> Ended:
    """A shard's pod."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    detector = await asyncio.to_thread(opener, config)
    async with open_stores(config) as stores:
        with tempfile.TemporaryDirectory(prefix="sentinel-shard-") as folder:
            work = await prepared(config, stores, index=index, folder=Path(folder), detector=detector, stop=stop)
            async with listening(port, progress=lambda: work.tally.progress, metrics=work.tally.metrics):
                try:
                    counts = await run_shard(work)
                except StoppedError:
                    log.warning("stopped by a signal; what was judged is kept")
                    return ScanFailure(reason="Stopped", message="asked to end; another pod goes on"), TERMINATED
    return ShardOutcome(index=index, counts=counts), ScanExit.Ok


async def prepared(
    config: ScanConfig, stores: Stores, *, index: int, folder: Path, detector: Detects, stop: asyncio.Event
) -> Shard:
    """Everything that a shard is judged with; the folder is for what of the cache is brought here."""
    planned = await require_plan(stores.output, source=config.source.uri)
    described = DetectorDescription(digest=detector.digest, description=detector.describe())
    await stores.output.put(DETECTOR, line_of(described, whole=True), only_new=True)
    work = await read_work(stores.output, planned, index)
    quarantine = None
    if stores.quarantine:
        etags = {part.object: part.etag for part in work}
        quarantine = Quarantine(config, source=stores.source, target=stores.quarantine, etags=etags)
    return Shard(
        index=index,
        work=work,
        config=config,
        source=stores.source,
        output=stores.output,
        quarantine=quarantine,
        cache=Cache(stores.cache, detector=detector.digest, folder=folder, ttl_seconds=config.cache_ttl_seconds),
        detector=detector,
        tally=Tally(index=index, total_bytes=sum(map(length_of, work))),
        stop=stop,
    )


async def report(config: ScanConfig, *, port: int) -> Ended:
    """The report pod."""
    from sentinel_workloads.scan.report import step  # noqa: PLC0415 - no other pod signs anything

    async with (
        listening(port, progress=lambda: Progress(step="report"), metrics=lambda: b""),
        open_stores(config) as stores,
    ):

        async def concluded(conclusion: Conclusion) -> None:
            if stores.quarantine:
                planned = await require_plan(stores.output, source=config.source.uri)
                cut = await cut_objects(stores.output, planned)
                await finish_quarantine(config, conclusion, source=stores.source, target=stores.quarantine, cut=cut)
            if stores.cache and conclusion.detector:
                await compact(
                    stores.cache, detector=conclusion.detector, ttl_seconds=config.cache_ttl_seconds, now=time.time()
                )

        return await step.run(config, concluded=concluded), ScanExit.Ok


def failed(failure: Failure) -> Ended:
    """How a pod ends that could not go on."""
    log.error(failure.message, extra={"reason": failure.code.name, "field": failure.field})
    return ScanFailure(reason=failure.code.name, field=failure.field, message=failure.message), failure.code


def out_of_space(error: OSError) -> Failure | None:
    """What it means for the user that this disk is full; nothing for any other error."""
    if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
        return None
    return Failure(ScanExit.NoSpace, "spec.pod.resources", f"the pod's disk is full: {error.strerror}")


def default_index() -> int:
    """The index that an Indexed Job gives its pod."""
    return int(os.environ.get("JOB_COMPLETION_INDEX", "0"))
