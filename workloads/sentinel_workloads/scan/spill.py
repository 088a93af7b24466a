"""Sorts more than memory holds: runs on this disk, merged as they are read."""

from __future__ import annotations

import heapq
import struct
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import BinaryIO, Self

RUN_BYTES = 16 * 1024**2
RUNS_AT_ONCE = 64
_HEAD = struct.Struct(">II")
_OVERHEAD = 150  # of a pair of byte strings in a list

Record = tuple[bytes, bytes]


class Sorter:
    """Records (key, value) in, the same out in the order of their bytes; memory is bounded, the disk is used.

    To be left with `with`: its runs are files without a name, which go when it is closed.
    """

    def __init__(self, *, run_bytes: int = RUN_BYTES) -> None:
        self._run_bytes = run_bytes
        self._held: list[Record] = []
        self._size = 0
        self._runs: list[BinaryIO] = []
        self.count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for run in self._runs:
            run.close()
        self._held.clear()

    def add(self, key: bytes, value: bytes = b"") -> None:
        """Takes a record."""
        self._held.append((key, value))
        self._size += len(key) + len(value) + _OVERHEAD
        self.count += 1
        if self._size >= self._run_bytes:
            self._spill()

    def __iter__(self) -> Iterator[Record]:
        """All records in order, as often as it is asked; nothing may be added meanwhile."""
        self._held.sort()
        return heapq.merge(*(_records(run) for run in self._runs), self._held)

    def _spill(self) -> None:
        self._held.sort()
        self._runs.append(_written(iter(self._held)))
        self._held.clear()
        self._size = 0
        if len(self._runs) >= RUNS_AT_ONCE:
            merged = _written(heapq.merge(*(_records(run) for run in self._runs)))
            for run in self._runs:
                run.close()
            self._runs = [merged]


def _written(records: Iterator[Record]) -> BinaryIO:
    run: BinaryIO = tempfile.TemporaryFile(prefix="sentinel-run-")  # noqa: SIM115 - the sorter closes it
    run.writelines(_HEAD.pack(len(key), len(value)) + key + value for key, value in records)
    run.flush()
    return run


def _records(run: BinaryIO) -> Iterator[Record]:
    """Records of a run from its beginning; readers of the same run do not disturb each other."""
    position = 0
    while True:
        run.seek(position)
        block = run.read(1 << 18)
        at = 0
        while at + _HEAD.size <= len(block):
            key_size, value_size = _HEAD.unpack_from(block, at)
            end = at + _HEAD.size + key_size + value_size
            if end > len(block):
                if at == 0:
                    block += run.read(end - len(block))
                    continue
                break
            middle = at + _HEAD.size + key_size
            yield block[at + _HEAD.size : middle], block[middle:end]
            at = end
        if at == 0:
            return
        position += at
