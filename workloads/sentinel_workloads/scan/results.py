"""The results of all shards, streamed in order, and refused unless they are whole."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from sentinel_operator.api.scanning import PARTS, Footer, ResultLine, ScanExit
from sentinel_workloads.objectstore.failures import Failure, MissingError
from sentinel_workloads.scan.lines import UnreadablePartError, unpacked
from sentinel_workloads.scan.store import ObjectStore

MAX_PART_BYTES = 256 * 1024**2
AHEAD = 4


def part_name(shard: int, part: int) -> str:
    """Where a part of a shard's results lies."""
    return f"{PARTS}/{shard:05d}/part-{part:06d}.jsonl.gz"


def part_number(key: str) -> int:
    """The number of a part; -1 for what is none."""
    name = key.rpartition("/")[2]
    number = name.removeprefix("part-").removesuffix(".jsonl.gz")
    return int(number) if number.isdecimal() and key.startswith(f"{PARTS}/") else -1


async def read_part(output: ObjectStore, shard: int, part: int) -> tuple[list[ResultLine], Footer]:
    """A part of a shard. MissingError where there is none; UnreadablePartError where it is broken or another's."""
    name = part_name(shard, part)
    try:
        body = await output.get(name, limit=MAX_PART_BYTES)
    except ValueError as error:
        raise UnreadablePartError(f"{name} is too large for a part") from error
    lines, footer = unpacked(body, name=name)
    if (footer.shard, footer.part) != (shard, part):
        raise UnreadablePartError(f"{name} is part {footer.part} of shard {footer.shard}")
    return lines, footer


async def results(output: ObjectStore, *, shards: int) -> AsyncIterator[ResultLine | Footer]:
    """Every result in global order: shard 0 part 0 line 0 first; after the results of a part its Footer.

    A few parts are held at once. ResultsMissing names the first shard whose results are not whole, or were made by
    another detector than those before: what came until then must not be taken for the whole.
    """
    detector = ""
    for shard in range(shards):
        async for lines, footer in _parts(output, shard):
            detector = detector or footer.detector
            if footer.detector != detector:
                raise _missing(shard, f"part {footer.part} was judged by {footer.detector}, others by {detector}")
            for line in lines:
                yield line
            yield footer


async def _parts(output: ObjectStore, shard: int) -> AsyncIterator[tuple[list[ResultLine], Footer]]:
    """The parts of one shard up to the one that is its last."""
    reading: deque[asyncio.Task[tuple[list[ResultLine], Footer]]] = deque()
    numbers = [
        number async for found in output.list(f"{PARTS}/{shard:05d}/") if (number := part_number(found.key)) >= 0
    ]
    count = max(numbers, default=-1) + 1
    if sorted(numbers) != list(range(count)) or not count:
        raise _missing(shard, f"{len(numbers)} of {count} parts are there" if count else "it has none")
    number = done = 0
    try:
        for number in range(count):
            while len(reading) < AHEAD and number + len(reading) < count:
                reading.append(asyncio.create_task(read_part(output, shard, number + len(reading))))
            lines, footer = await reading.popleft()
            if done:
                raise _missing(shard, f"part {number} follows its last")
            done = footer.done
            yield lines, footer
        if not done:
            raise _missing(shard, f"part {number} is not its last")
    except (UnreadablePartError, MissingError) as error:
        raise _missing(shard, str(error)) from error
    finally:
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)


def _missing(shard: int, why: str) -> Failure:
    return Failure(ScanExit.ResultsMissing, "", f"the results of shard {shard} are not whole: {why}")
