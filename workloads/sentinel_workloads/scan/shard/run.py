"""Judges one shard: each batch is read, judged, put aside and written, in that order; then it is done for good."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import aclosing
from dataclasses import dataclass

from sentinel_operator.api.scanning import Counts, Footer, ResultLine, ScanConfig, Work
from sentinel_workloads.scan.cache.cached import Cache
from sentinel_workloads.scan.judged import Detects
from sentinel_workloads.scan.lines import packed
from sentinel_workloads.scan.quarantine.put import Quarantine
from sentinel_workloads.scan.results import part_name
from sentinel_workloads.scan.shard.batches import Batch, Batches
from sentinel_workloads.scan.shard.judging import Judging
from sentinel_workloads.scan.shard.resume import standing
from sentinel_workloads.scan.shard.tally import Tally, counted
from sentinel_workloads.scan.store import ObjectStore

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """What a shard is judged with."""

    index: int
    work: tuple[Work, ...]
    config: ScanConfig
    source: ObjectStore
    output: ObjectStore
    quarantine: Quarantine | None
    cache: Cache
    detector: Detects
    tally: Tally
    stop: asyncio.Event
    """Set when the pod is asked to end: the batch under way is still finished."""


class StoppedError(Exception):
    """The shard was asked to end before it was done; another pod goes on."""


async def run_shard(shard: Shard) -> Counts:
    """Everything of the shard, from where it stands on. StoppedError when it was asked to end before."""
    footer = await standing(shard.output, shard.index, detector=shard.detector.digest)
    if footer.done:
        return footer.counts
    await shard.cache.pull()
    shard.tally.start(footer.counts, ignored=shard.cache.ignored)
    log.info("judging", extra={"shard": shard.index, "part": footer.part + 1, "work": footer.next_work})
    config = shard.config
    judging = Judging(shard.detector, shard.cache, thresholds=config.thresholds, threads=config.threads)
    begin = (footer.next_work, footer.next_offset)
    batches = Batches(shard.source, shard.work, config.reading, batch_size=config.batch_size, begin=begin)
    try:
        async with aclosing(batches.all()) as all_batches:
            async for batch in all_batches:
                footer = await _do(shard, judging, batch, footer)
                if shard.stop.is_set() and not footer.done:
                    raise StoppedError
    finally:
        judging.close()
        await shard.cache.flush()
    return footer.counts


async def _do(shard: Shard, judging: Judging, batch: Batch, before: Footer) -> Footer:
    started = time.monotonic()
    lines = await judging.judge(batch.documents)
    part = before.part + 1
    if shard.quarantine:
        await shard.quarantine.put(shard.index, part, list(zip(batch.documents, lines, strict=True)))
    footer = _footer(shard, batch, lines, before=before, part=part)
    await shard.output.put(part_name(shard.index, part), packed(lines, footer))
    shard.tally.batch(footer.counts, lines, seconds=time.monotonic() - started)
    return footer


def _footer(shard: Shard, batch: Batch, lines: list[ResultLine], *, before: Footer, part: int) -> Footer:
    return Footer(
        shard=shard.index,
        part=part,
        detector=shard.detector.digest,
        lines=len(lines),
        next_work=batch.next_work,
        next_offset=batch.next_offset,
        objects=tuple(batch.objects),
        counts=counted(before.counts, lines, read_bytes=batch.bytes),
        done=batch.done,
    )
