"""A segment: judgements in the order of their texts' digests, immutable, searched where it lies on the disk.

head     magic, count, detector's digest
keys     count × (32 bytes of digest, where its judgement begins in the body)
body     the judgements
seal     sha256 of all before it
"""

from __future__ import annotations

import hashlib
import json
import math
import mmap
import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from pathlib import Path

from sentinel_operator.api.scanning import ReasonLine
from sentinel_workloads.scan.judged import Judged

MAGIC = b"SNTLSEG1"
KEY_BYTES = 32
_HEAD = struct.Struct(">8sI32s")
_ENTRY = struct.Struct(">32sQ")
_BODY = struct.Struct(">Bdd32s")
_SEAL_BYTES = 32
Entry = tuple[bytes, bytes]


class BrokenSegmentError(ValueError):
    """The file is not a whole segment of this detector."""


def packed_judgement(found: Judged) -> bytes:
    """A judgement in few bytes; reasons are rare."""
    embedding = math.nan if found.embedding is None else found.embedding
    fingerprint = bytes.fromhex(found.fingerprint) if found.fingerprint else bytes(32)
    reasons = [reason.model_dump(mode="json", by_alias=True, exclude_defaults=True) for reason in found.reasons]
    tail = json.dumps(reasons, separators=(",", ":")).encode() if reasons else b""
    return _BODY.pack(found.risk, found.heuristic, embedding, fingerprint) + tail


def unpacked_judgement(raw: bytes) -> Judged:
    """The judgement again."""
    risk, heuristic, embedding, fingerprint = _BODY.unpack_from(raw)
    tail = raw[_BODY.size :]
    return Judged(
        risk=risk,
        heuristic=heuristic,
        embedding=None if math.isnan(embedding) else embedding,
        fingerprint=fingerprint.hex() if any(fingerprint) else "",
        reasons=tuple(ReasonLine.model_validate(reason) for reason in json.loads(tail)) if tail else (),
    )


def write_segment(path: Path, entries: Iterable[Entry], *, count: int, detector: str) -> None:
    """Writes sorted entries without two of the same key; they are gone through once, and not held."""
    seen = hashlib.sha256()
    keys_end = _HEAD.size + count * _ENTRY.size
    with path.open("w+b") as keys, path.open("r+b") as body:
        keys.write(_HEAD.pack(MAGIC, count, _raw_digest(detector)))
        body.seek(keys_end)
        position = 0
        for key, value in entries:
            keys.write(_ENTRY.pack(key, position))
            body.write(value)
            position += len(value)
        keys.flush()
        body.flush()
        keys.seek(0)
        while block := keys.read(1 << 20):
            seen.update(block)
        body.seek(0, 2)
        body.write(seen.digest())


class Segment:
    """A segment on this disk, checked whole when it is opened."""

    def __init__(self, path: Path, *, detector: str) -> None:
        try:
            with path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise BrokenSegmentError(f"{path.name} cannot be opened") from error
        self._view = memoryview(self._map)
        if len(self._map) < _HEAD.size + _SEAL_BYTES:
            raise BrokenSegmentError(f"{path.name} is too short")
        magic, count, owner = _HEAD.unpack_from(self._map)
        self.count: int = count
        if magic != MAGIC or owner != _raw_digest(detector):
            raise BrokenSegmentError(f"{path.name} is another detector's")
        self._body = _HEAD.size + self.count * _ENTRY.size
        self._end = len(self._map) - _SEAL_BYTES
        if self._body > self._end or hashlib.sha256(self._view[: self._end]).digest() != self._map[self._end :]:
            raise BrokenSegmentError(f"{path.name} is not as it was written")

    def find(self, key: bytes) -> bytes | None:
        """The judgement of a text, packed."""
        index = bisect_left(self, key, 0, self.count)
        if index >= self.count or self[index] != key:
            return None
        return self._value(index)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> bytes:
        start = _HEAD.size + index * _ENTRY.size
        return self._map[start : start + KEY_BYTES]

    def entries(self) -> Iterator[Entry]:
        """All of it, in order."""
        for index in range(self.count):
            yield self[index], self._value(index)

    def _value(self, index: int) -> bytes:
        at = _HEAD.size + index * _ENTRY.size
        begin = self._body + _ENTRY.unpack_from(self._map, at)[1]
        last = index + 1 == self.count
        end = self._end if last else self._body + _ENTRY.unpack_from(self._map, at + _ENTRY.size)[1]
        return self._map[begin:end]


def _raw_digest(detector: str) -> bytes:
    return hashlib.sha256(detector.encode()).digest()
