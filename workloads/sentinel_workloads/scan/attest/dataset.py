"""Proves that objects are those that were scanned: by the dataset's digest, and one by one to name the others."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

from sentinel_operator.api.attestation import DATASET, Statement
from sentinel_operator.api.scanning import ObjectLine
from sentinel_workloads.objectstore.failures import MissingError
from sentinel_workloads.scan.attest.outcome import Verification
from sentinel_workloads.scan.lines import value_of
from sentinel_workloads.scan.report.names import OBJECTS
from sentinel_workloads.scan.store import ObjectStore

UNREAD = "0" * 64
_SHOWN = 5


async def check_objects(store: ObjectStore, prefix: str, statement: Statement, found: Verification) -> None:
    """That the report's list of objects is the one whose digest was signed."""
    digest, objects, size = hashlib.sha256(), 0, 0
    try:
        async for line in object_lines(store, prefix):
            digest.update(f"{line.sha256 or UNREAD}  {line.object}\n".encode())
            objects += 1
            size += line.size
    except (ValueError, MissingError) as error:
        found.refuted(OBJECTS, str(error) or "is not a list of objects")
        return
    source = statement.predicate.source
    found.expect(
        OBJECTS,
        found=f"sha256:{digest.hexdigest()} over {objects:,} objects, {size:,} bytes",
        signed=f"{statement.digest_of(DATASET)} over {source.objects:,} objects, {source.bytes:,} bytes",
    )


async def check_dataset(store: ObjectStore, prefix: str, dataset: ObjectStore, found: Verification) -> None:
    """That what lies in the dataset now is what was scanned: no object more, none fewer, none changed."""
    there = {item.key async for item in dataset.list()}
    objects = 0
    wrong: list[str] = []
    async for line in object_lines(store, prefix):
        objects += 1
        if line.object not in there:
            wrong.append(f"missing: {line.object}")
            continue
        there.discard(line.object)
        if await _sha256(dataset, line.object) != line.sha256:
            wrong.append(f"changed: {line.object}")
    wrong += [f"not scanned: {key}" for key in sorted(there)]
    if wrong:
        more = f" and {len(wrong) - _SHOWN:,} more" if len(wrong) > _SHOWN else ""
        found.refuted("dataset", f"{'; '.join(wrong[:_SHOWN])}{more}")
    else:
        found.proven("dataset", f"the {objects:,} objects here are those that were scanned")


async def object_lines(store: ObjectStore, prefix: str) -> AsyncIterator[ObjectLine]:
    """The objects of a report, as it lists them."""
    rest = b""
    async for chunk in store.read(f"{prefix}{OBJECTS}"):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield value_of(ObjectLine, line)
    if rest:
        raise ValueError(f"{OBJECTS} is cut off")


async def _sha256(dataset: ObjectStore, key: str) -> str:
    digest = hashlib.sha256()
    try:
        async for chunk in dataset.read(key):
            digest.update(chunk)
    except MissingError:
        return ""
    return digest.hexdigest()
