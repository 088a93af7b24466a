"""Makes the plan: lists the source, orders it, cuts it, and writes it so that a second run finds and keeps it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from sentinel_operator.api.scanning import MANIFEST, ObjectLine, PlanOutcome, ScanConfig, ScanExit, Work
from sentinel_workloads.objectstore.failures import ChangedError, CorruptError, Failure, MissingError
from sentinel_workloads.scan.lines import line_of
from sentinel_workloads.scan.plan.cut import byte_ranges, cost_of, group_ranges, shard_count, whole, work_cost
from sentinel_workloads.scan.plan.formats import format_of
from sentinel_workloads.scan.plan.stored import MARK, Plan, read_plan, shard_file
from sentinel_workloads.scan.spill import Sorter
from sentinel_workloads.scan.store import ObjectStore

log = logging.getLogger(__name__)


async def make_plan(config: ScanConfig, *, source: ObjectStore, output: ObjectStore) -> PlanOutcome:
    """The plan that is there, or a new one. NotFound when there is nothing to scan."""
    plan = await read_plan(output, source=config.source.uri)
    if not plan:
        with Sorter() as found, tempfile.TemporaryDirectory(prefix="sentinel-plan-") as folder:
            total = await _listed(config, source, found)
            plan = await _written(config, source, output, found=found, total=total, folder=Path(folder))
    return PlanOutcome(shards=len(plan.shards), objects=plan.objects, bytes=plan.bytes)


async def _listed(config: ScanConfig, source: ObjectStore, found: Sorter) -> int:
    """Puts every object into the sorter (stores differ in what they call order); gives the cost of all."""
    total = 0
    async for item in source.list():
        line = ObjectLine(object=item.key, size=item.size, etag=item.etag, format=format_of(item.key, config.reading))
        found.add(item.key.encode(), line_of(line))
        total += cost_of(line)
    if not found.count:
        hint = "" if source.uri.endswith("/") else " (the address of a prefix ends with /)"
        raise Failure(ScanExit.NotFound, f"{source.field}.uri", f"there is no object below {source.uri}{hint}")
    return total


async def _written(
    config: ScanConfig, source: ObjectStore, output: ObjectStore, *, found: Sorter, total: int, folder: Path
) -> Plan:
    target = -(-total // shard_count(total, wanted=config.shards))
    shards = _Shards(output, folder / "shard")
    manifest, seen, size, spent = folder / "manifest", hashlib.sha256(), 0, 0
    with manifest.open("wb") as file:
        for _, raw in found:
            file.write(raw)
            seen.update(raw)
            line = ObjectLine.model_validate(json.loads(raw))
            size += line.size
            async for work, cost in _cut(source, line, target):
                await shards.add(spent // target, work)
                spent += cost
    digests = await shards.finish()
    await output.put(MANIFEST, manifest)
    plan = Plan(source=config.source.uri, objects=found.count, bytes=size, manifest=seen.hexdigest(), shards=digests)
    if not await output.put(MARK, line_of(plan, whole=True), only_new=True):
        return await read_plan(output, source=config.source.uri) or plan
    log.info("planned", extra={"objects": plan.objects, "bytes": plan.bytes, "shards": len(plan.shards)})
    return plan


async def _cut(source: ObjectStore, line: ObjectLine, target: int) -> AsyncIterator[tuple[Work, int]]:
    """The parts of an object with their costs."""
    groups: tuple[int, ...] = ()
    if line.format == "parquet" and cost_of(line) > target:
        groups = await _row_groups(source, line)
    parts = group_ranges(line, groups, target=target) if groups else byte_ranges(line, target=target)
    for work in parts if line.format in {"jsonl", "parquet"} else (whole(line),):
        yield work, work_cost(work, line, len(groups))


async def _row_groups(source: ObjectStore, line: ObjectLine) -> tuple[int, ...]:
    """What each row group costs; nothing for a file that cannot be read: its shard will say so."""
    from sentinel_workloads.scan.readers.columns import group_costs  # noqa: PLC0415 - most plans need no pyarrow

    try:
        return await asyncio.to_thread(
            group_costs, source, line.object, line.size, line.etag, asyncio.get_running_loop()
        )
    except (ValueError, OSError, ChangedError, CorruptError, MissingError) as error:
        log.warning("no row groups", extra={"object": line.object, "fault": f"{type(error).__name__}: {error}"})
        return ()


class _Shards:
    """Writes the files of the shards, one after another; empty ones are left out."""

    def __init__(self, output: ObjectStore, path: Path) -> None:
        self._output, self._path = output, path
        self._file = path.open("wb")
        self._digest = hashlib.sha256()
        self._slot = -1
        self._digests: list[str] = []

    async def add(self, slot: int, work: Work) -> None:
        """Adds a part to the shard that its place in the whole falls to; slots only grow."""
        if slot != self._slot and self._slot >= 0:
            await self._put()
        self._slot = slot
        line = line_of(work)
        self._digest.update(line)
        self._file.write(line)

    async def finish(self) -> tuple[str, ...]:
        """The digests of all shards' files, which are written by then."""
        if self._slot >= 0:
            await self._put()
        self._file.close()
        return tuple(self._digests)

    async def _put(self) -> None:
        self._file.close()
        await self._output.put(shard_file(len(self._digests)), self._path)
        self._digests.append(self._digest.hexdigest())
        self._digest, self._file = hashlib.sha256(), self._path.open("wb")
