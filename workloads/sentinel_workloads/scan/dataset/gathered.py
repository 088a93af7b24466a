"""The first pass over the results: everything that is needed to overrule them, and the objects with their digests."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from sentinel_operator.api.scanning import Footer, ObjectLine, ScanExit
from sentinel_workloads.objectstore.failures import Failure
from sentinel_workloads.scan.dataset.provenance import Comparison
from sentinel_workloads.scan.dataset.repeated import Texts
from sentinel_workloads.scan.lines import line_of
from sentinel_workloads.scan.plan.stored import Plan, read_manifest
from sentinel_workloads.scan.results import results
from sentinel_workloads.scan.store import ObjectStore

UNREAD = "0" * 64
SHOWN = 10


@dataclass(slots=True, kw_only=True)
class Gathered:
    """What the first pass found."""

    texts: Texts = field(default_factory=Texts)
    dataset: hashlib._Hash = field(default_factory=hashlib.sha256)
    detector: str = ""
    bytes: int = 0
    unread: int = 0
    unread_examples: list[str] = field(default_factory=list)

    @property
    def dataset_digest(self) -> str:
        """The digest of all objects' digests and names."""
        return f"sha256:{self.dataset.hexdigest()}"


async def gather(
    output: ObjectStore, plan: Plan, *, comparison: Comparison | None, objects_file: Path, unknown_file: Path
) -> Gathered:
    """Goes through all results. ResultsMissing unless they are whole, and tell of every object of the plan."""
    found, ordinal = Gathered(), 0
    planned = read_manifest(output, plan)
    with objects_file.open("wb") as objects, unknown_file.open("wb") as unknown:
        async for item in results(output, shards=len(plan.shards)):
            if not isinstance(item, Footer):
                found.texts.add(ordinal, item)
                ordinal += 1
                continue
            found.detector = item.detector
            if item.done:
                found.bytes += item.counts.bytes
            for line in item.objects:
                await _expect(planned, line)
                _take(found, line, objects)
                if comparison and not comparison.holds(line):
                    unknown.write(line.object.encode().hex().encode() + b"\n")
        if missing := await anext(planned, None):
            raise Failure(ScanExit.ResultsMissing, "", f"no result tells of the object {missing.object}")
    return found


def _take(found: Gathered, line: ObjectLine, objects: BinaryIO) -> None:
    found.dataset.update(f"{line.sha256 or UNREAD}  {line.object}\n".encode())
    objects.write(line_of(line))
    if not line.sha256:
        found.unread += 1
        if len(found.unread_examples) < SHOWN:
            found.unread_examples.append(line.object)


async def _expect(planned: AsyncIterator[ObjectLine], line: ObjectLine) -> None:
    """The results tell of the objects in the order of the plan, of each once."""
    wanted = await anext(planned, None)
    if not wanted or (wanted.object, wanted.size, wanted.etag) != (line.object, line.size, line.etag):
        name = wanted.object if wanted else "nothing more"
        raise Failure(ScanExit.ResultsMissing, "", f"the results tell of {line.object} where {name} was planned")
