"""Keeps the cache small: what is too old goes, and many small segments become one."""

from __future__ import annotations

import hashlib
import heapq
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sentinel_workloads.objectstore.failures import ChangedError, CorruptError, Failure, MissingError
from sentinel_workloads.scan.cache.cached import born, folder_of, segment_name
from sentinel_workloads.scan.cache.segment import BrokenSegmentError, Entry, Segment, write_segment
from sentinel_workloads.scan.store import Found, ObjectStore

log = logging.getLogger(__name__)
ENOUGH = 8
MAX_BYTES = 256 * 1024**2
"""Of a segment that segments are packed into."""


async def compact(store: ObjectStore, *, detector: str, ttl_seconds: int, now: float) -> None:
    """Removes segments that are too old, and packs the small ones when there are many.

    Two that do it at once do the same twice: what is packed is removed only once the pack is written, and a judgement
    that lies in two segments is the same in both. A cache that cannot be written stays as it is.
    """
    try:
        old: list[Found] = []
        small: list[Found] = []
        async for item in store.list(folder_of(detector)):
            if born(item):
                (old if born(item) < now - ttl_seconds else small).append(item)
        for item in old:
            await store.delete(item.key)
        chosen = _chosen(small)
        if len(chosen) >= ENOUGH:
            await _pack(store, chosen, detector)
    except Failure as failure:
        log.warning("the cache cannot be packed", extra={"fault": failure.message})


def _chosen(small: list[Found]) -> list[Found]:
    chosen, size = [], 0
    for item in sorted(small, key=lambda found: found.size):
        size += item.size
        if size > MAX_BYTES:
            break
        chosen.append(item)
    return chosen


async def _pack(store: ObjectStore, chosen: list[Found], detector: str) -> None:
    with tempfile.TemporaryDirectory(prefix="sentinel-cache-") as folder:
        segments = []
        for number, item in enumerate(chosen):
            path = Path(folder) / f"{number}.seg"
            try:
                with path.open("wb") as file:
                    async for chunk in store.read(item.key, etag=item.etag):
                        file.write(chunk)
                segments.append(Segment(path, detector=detector))
            except (BrokenSegmentError, ChangedError, CorruptError, MissingError) as error:
                log.warning("a segment of the cache is dropped", extra={"segment": item.key, "fault": str(error)})
        packed = Path(folder) / "packed"
        count = sum(1 for _ in _merged(segments))
        write_segment(packed, _merged(segments), count=count, detector=detector)
        digest = hashlib.sha256(packed.read_bytes()).hexdigest()
        name = segment_name(detector, at=min(map(born, chosen)), count=count, digest=digest)
        await store.put(name, packed)
        for item in chosen:
            if item.key != name:
                await store.delete(item.key)


def _merged(segments: list[Segment]) -> Iterator[Entry]:
    """All entries in order, each key once."""
    last = b""
    for entry in heapq.merge(*(segment.entries() for segment in segments)):
        if entry[0] != last:
            yield entry
        last = entry[0]
