"""Where a shard stands, by the parts that earlier pods have left."""

from __future__ import annotations

import logging

from sentinel_operator.api.scanning import PARTS, Counts, Footer
from sentinel_workloads.objectstore.failures import MissingError
from sentinel_workloads.scan.lines import UnreadablePartError
from sentinel_workloads.scan.results import part_name, part_number, read_part
from sentinel_workloads.scan.store import ObjectStore

log = logging.getLogger(__name__)


async def standing(output: ObjectStore, shard: int, *, detector: str) -> Footer:
    """The footer of the last whole part; before the first, one that leads to the beginning.

    What another detector has judged is judged again. Parts that do not follow on the one that is gone on from are
    removed, last first, so that a pod killed at it leaves no gap behind.
    """
    there = [part_number(found.key) async for found in output.list(f"{PARTS}/{shard:05d}/")]
    numbers = sorted(number for number in there if number >= 0)
    whole = next((number for number, found in enumerate([*numbers, -1]) if number != found), 0)
    footer = Footer(shard=shard, part=-1, detector=detector, lines=0, next_work=0, next_offset=0, counts=Counts())
    while whole:
        try:
            _, last = await read_part(output, shard, whole - 1)
        except (UnreadablePartError, MissingError) as error:
            log.warning("a part is judged again", extra={"fault": str(error)})
            whole -= 1
            continue
        if last.detector == detector:
            footer = last
        else:
            log.warning("another detector has judged; beginning anew", extra={"detector": last.detector})
            whole = 0
        break
    for number in reversed(numbers):
        if number >= whole:
            await output.delete(part_name(shard, number))
    return footer
