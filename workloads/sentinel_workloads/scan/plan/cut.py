"""How a dataset is cut: by what reading and judging its objects costs, in the order of the objects."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from sentinel_operator.api.scanning import ObjectLine, Work
from sentinel_workloads.scan.plan.formats import is_compressed

MAX_SHARDS = 1000
SHARD_COST = 24 * 1024**2
"""Bytes of text that a pod with one core judges in some minutes: long beside its start, short beside its loss."""
MIN_RANGE = 1024**2
_OBJECT_COST = 4096
"""Asking for an object costs as much as judging so many bytes."""


def cost_of(line: ObjectLine) -> int:
    """What an object costs, in bytes of plain text."""
    inflated = 3 if line.format == "parquet" or is_compressed(line.object) else 1
    return max(_OBJECT_COST, line.size * inflated)


def shard_count(total_cost: int, *, wanted: int) -> int:
    """How many shards there are at most: as many as are wanted, or as many as take minutes each."""
    return min(MAX_SHARDS, wanted or max(1, math.ceil(total_cost / SHARD_COST)))


def whole(line: ObjectLine) -> Work:
    """All of an object."""
    return Work(object=line.object, size=line.size, etag=line.etag, format=line.format)


def byte_ranges(line: ObjectLine, *, target: int) -> Iterator[Work]:
    """Ranges of about equal length that cost the target at most. A range owns the lines that begin in it."""
    count = min(math.ceil(line.size / target), line.size // MIN_RANGE) if target else 1
    if line.format != "jsonl" or is_compressed(line.object) or count <= 1:
        yield whole(line)
        return
    for index in range(count):
        start, end = line.size * index // count, line.size * (index + 1) // count
        yield whole(line).model_copy(update={"start": start, "end": end})


def group_ranges(line: ObjectLine, group_bytes: Iterable[int], *, target: int) -> Iterator[Work]:
    """Ranges of row groups that cost the target at most, or one group each."""
    sizes = tuple(group_bytes)
    if len(sizes) <= 1:
        yield whole(line)
        return
    start, held = 0, 0
    for index, size in enumerate(sizes):
        if held and held + size > target:
            yield whole(line).model_copy(update={"start": start, "end": index})
            start, held = index, 0
        held += size
    yield whole(line).model_copy(update={"start": start, "end": len(sizes)})


def work_cost(work: Work, line: ObjectLine, groups: int) -> int:
    """What a part of an object costs."""
    if work.end < 0:
        return cost_of(line)
    share = (work.end - work.start) / (groups if line.format == "parquet" else line.size)
    return max(_OBJECT_COST, int(cost_of(line) * share))
