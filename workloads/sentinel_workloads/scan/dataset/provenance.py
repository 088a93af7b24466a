"""Which objects should be there, with which digest: a file as sha256sum writes it, joined to those that are."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sentinel_operator.api.scanning import ObjectLine, ScanExit
from sentinel_workloads.objectstore.failures import Failure
from sentinel_workloads.scan.spill import Record, Sorter
from sentinel_workloads.scan.store import ObjectStore

FIELD = "spec.source.provenance"
MAX_LINE_BYTES = 64 * 1024
SHOWN = 10
_LINE = re.compile(rb"(\\?)([0-9a-f]{64}) [ *](.+)")
_ESCAPED = {b"\\\\": b"\\", b"\\n": b"\n", b"\\r": b"\r"}


async def load_provenance(store: ObjectStore) -> Sorter:
    """The file's objects with their digests, in order. InvalidConfig names the first line that says neither."""
    known, number, rest = Sorter(), 0, b""
    name = [found.key async for found in store.list()]
    if len(name) != 1:
        raise Failure(ScanExit.NotFound, FIELD, f"{store.uri} is not one file in the format of sha256sum")
    async for chunk in store.read(name[0]):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            number += 1
            _take(known, line, number)
        if len(rest) > MAX_LINE_BYTES:
            raise _unreadable(number + 1)
    if rest:
        _take(known, rest, number + 1)
    return known


def _take(known: Sorter, line: bytes, number: int) -> None:
    line = line.removesuffix(b"\r")
    if not line:
        return
    found = _LINE.fullmatch(line)
    if not found:
        raise _unreadable(number)
    escaped, digest, path = found.groups()
    if escaped:
        path = re.sub(rb"\\[\\nr]", lambda match: _ESCAPED[match[0]], path)
    known.add(path.removeprefix(b"./"), digest)


def _unreadable(number: int) -> Failure:
    return Failure(ScanExit.InvalidConfig, FIELD, f"line {number} is not a sha256 and a path")


class Comparison:
    """Goes through both lists at once; objects come in byte order of their keys."""

    def __init__(self, known: Sorter) -> None:
        self._known: Iterator[Record] = iter(known)
        self._next = next(self._known, None)
        self.unknown = self.absent = 0
        self.examples: list[str] = []

    def holds(self, line: ObjectLine) -> bool:
        """Tells whether the object is known with its digest."""
        key = line.object.encode()
        while self._next and self._next[0] < key:
            self._pass(self._next[0])
        digests: set[bytes] = set()
        while self._next and self._next[0] == key:
            digests.add(self._next[1])
            self._next = next(self._known, None)
        if digests == {line.sha256.encode()}:
            return True
        self.unknown += 1
        self._show(line.object)
        return False

    def finish(self) -> None:
        """Counts what is left of the file."""
        while self._next:
            self._pass(self._next[0])

    def _pass(self, key: bytes) -> None:
        self.absent += 1
        self._show(key.decode("utf-8", "backslashreplace"))
        self._next = next(self._known, None)

    def _show(self, name: str) -> None:
        if len(self.examples) < SHOWN:
            self.examples.append(name)
