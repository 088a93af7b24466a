"""The cache as a shard uses it: pulled once, searched on this disk, added to in whole segments."""

from __future__ import annotations

import hashlib
import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from sentinel_workloads.objectstore.failures import ChangedError, CorruptError, Failure, MissingError
from sentinel_workloads.scan.cache.segment import (
    BrokenSegmentError,
    Segment,
    packed_judgement,
    unpacked_judgement,
    write_segment,
)
from sentinel_workloads.scan.judged import Judged
from sentinel_workloads.scan.store import Found, ObjectStore

log = logging.getLogger(__name__)
FLUSH_JUDGEMENTS = 20_000
MAX_SEGMENTS = 48
"""More are not searched; the report pod packs them into fewer."""
MAX_PULLED_BYTES = 512 * 1024**2
SPARED = 0.5
"""Share of the free disk that segments may take."""


def folder_of(detector: str) -> str:
    """Where a detector's judgements lie."""
    return f"{detector.removeprefix('sha256:')}/"


def segment_name(detector: str, *, at: int, count: int, digest: str) -> str:
    """The name of a segment; it bears the time of its oldest judgement, and its content."""
    return f"{folder_of(detector)}{at:012d}-{count}-{digest[:16]}.seg"


def born(found: Found) -> int:
    """When the oldest judgement of a segment was made; 0 for what is no segment."""
    name = found.key.rpartition("/")[2]
    at = name.partition("-")[0]
    return int(at) if name.endswith(".seg") and at.isdecimal() else 0


class Cache:
    """Judgements of one detector. Nothing that is wrong with it is a fault of the scan: it only finds less."""

    def __init__(
        self,
        store: ObjectStore | None,
        *,
        detector: str,
        folder: Path,
        ttl_seconds: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._detector, self._folder, self._ttl, self._clock = store, detector, folder, ttl_seconds, clock
        self._segments: list[Segment] = []
        self._fresh: dict[bytes, bytes] = {}
        self._oldest = 0
        self.ignored = 0
        """Segments that were there, but broken, or too many."""

    async def pull(self) -> None:
        """Brings the segments that are young enough onto this disk, newest first."""
        if not self._store:
            return
        try:
            found = [item async for item in self._store.list(folder_of(self._detector)) if born(item)]
            found.sort(key=born, reverse=True)
            room = min(MAX_PULLED_BYTES, int(shutil.disk_usage(self._folder).free * SPARED))
            for item in found:
                if born(item) < self._clock() - self._ttl:
                    break
                if len(self._segments) >= MAX_SEGMENTS or item.size > room:
                    self.ignored += 1
                    continue
                room -= item.size
                await self._pull_one(self._store, item)
        except Failure as failure:
            log.warning("the cache cannot be read", extra={"fault": failure.message})

    async def _pull_one(self, store: ObjectStore, item: Found) -> None:
        path = self._folder / f"{len(self._segments)}.seg"
        try:
            with path.open("wb") as file:
                async for chunk in store.read(item.key, etag=item.etag):
                    file.write(chunk)
            self._segments.append(Segment(path, detector=self._detector))
        except (BrokenSegmentError, ChangedError, CorruptError, MissingError, OSError) as error:
            self.ignored += 1
            log.warning("a segment of the cache is ignored", extra={"segment": item.key, "fault": str(error)})
            path.unlink(missing_ok=True)

    def find(self, digest: str) -> Judged | None:
        """The judgement on the text of that digest."""
        key = bytes.fromhex(digest.removeprefix("sha256:"))
        raw = self._fresh.get(key)
        if raw is None:
            raw = next((found for segment in self._segments if (found := segment.find(key)) is not None), None)
        return unpacked_judgement(raw) if raw is not None else None

    async def add(self, digest: str, found: Judged) -> None:
        """Takes a judgement, and writes a segment when there are enough."""
        if not self._store:
            return
        self._oldest = self._oldest or int(self._clock())
        self._fresh[bytes.fromhex(digest.removeprefix("sha256:"))] = packed_judgement(found)
        if len(self._fresh) >= FLUSH_JUDGEMENTS:
            await self.flush()

    async def flush(self) -> None:
        """Writes what is new as a segment."""
        if not self._store or not self._fresh:
            return
        path = self._folder / f"{len(self._segments)}.seg"
        try:
            write_segment(path, sorted(self._fresh.items()), count=len(self._fresh), detector=self._detector)
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            name = segment_name(self._detector, at=self._oldest, count=len(self._fresh), digest=digest)
            await self._store.put(name, path)
            self._segments.append(Segment(path, detector=self._detector))
        except (Failure, BrokenSegmentError, OSError) as error:
            log.warning("the cache cannot be written", extra={"fault": str(error)})
            path.unlink(missing_ok=True)
        self._fresh.clear()
        self._oldest = 0
