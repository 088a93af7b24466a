"""The manifest of what may be trained on: objects with their digests, and the rows that are left out."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from sentinel_operator.api.scanning import CleanLine, Counts, ObjectLine, ResultLine
from sentinel_workloads.scan.lines import line_of, value_of
from sentinel_workloads.scan.shard.tally import counted

ALLOWED = frozenset({"Clean", "Elevated"})


@dataclass(slots=True)
class _Current:
    """The object whose results are passing."""

    name: str
    documents: int = 0
    broken: bool = False
    """Something of it could not be read."""
    excluded: array[int] = field(default_factory=lambda: array("Q"))


class CleanSet:
    """Writes the manifest while the final results pass, and counts them."""

    def __init__(self, path: Path, objects_file: Path, *, uri: str) -> None:
        self._file, self._objects, self._uri = path.open("wb"), _objects(objects_file), uri
        self._current = _Current("")
        self._digest = hashlib.sha256()
        self.counts = Counts()
        self.allowed = 0
        self._pending: list[ResultLine] = []

    def add(self, line: ResultLine) -> None:
        """Takes a result; those of an object follow each other."""
        current = self._current
        if line.object != current.name:
            self._finish_object()
            current = self._current = _Current(line.object)
        if line.row < 0:
            current.broken = True
        else:
            if line.verdict not in ALLOWED:
                current.excluded.append(current.documents)
            current.documents += 1
        self._pending.append(line)
        if len(self._pending) >= 1024:
            self._count()

    def finish(self) -> str:
        """The digest of the manifest, which is whole then."""
        self._finish_object()
        self._count()
        self._file.close()
        return f"sha256:{self._digest.hexdigest()}"

    def _count(self) -> None:
        self.counts = counted(self.counts, self._pending, read_bytes=0)
        self._pending.clear()

    def _finish_object(self) -> None:
        current = self._current
        allowed = current.documents - len(current.excluded)
        if not allowed:
            return
        known = next(line for line in self._objects if line.object == current.name)
        if current.broken or not known.sha256:
            return
        self.allowed += allowed
        clean = CleanLine(
            object=known.object,
            uri=address_of(self._uri, known.object),
            size=known.size,
            sha256=known.sha256,
            documents=current.documents,
            excluded_rows=tuple(current.excluded),
        )
        raw = line_of(clean)
        self._digest.update(raw)
        self._file.write(raw)


def address_of(uri: str, key: str) -> str:
    """The address of an object below a prefix, or of the one that the address itself names."""
    if not uri.endswith("/"):
        return uri
    return uri + (quote(key) if uri.startswith("file:") else key)


def _objects(path: Path) -> Iterator[ObjectLine]:
    with path.open("rb") as file:
        for line in file:
            yield value_of(ObjectLine, line)
