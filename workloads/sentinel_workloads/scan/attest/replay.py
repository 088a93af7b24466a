"""Reads the results of a report again, as a stranger would: nothing of them is believed, everything is counted anew."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from sentinel_operator.api.scanning import Counts, ResultLine, Thresholds
from sentinel_workloads.scan.attest.merkle import HASH_BYTES, Tree, leaf_hash
from sentinel_workloads.scan.lines import value_of
from sentinel_workloads.scan.report.names import LEAVES, RESULTS
from sentinel_workloads.scan.store import ObjectStore

MAX_LINE_BYTES = 64 << 20
_GZIP = 31


class BrokenResultsError(ValueError):
    """The results are not what a report writes; the message says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What the results give when they are read again."""

    documents: int
    merkle_root: str
    lines_digest: str
    leaves_digest: str
    verdicts: Counts
    """Without the bytes that were read, which no result tells."""
    misjudged: tuple[str, ...]
    """The first few documents whose verdict is milder than their risk allows."""


async def replay(store: ObjectStore, prefix: str, thresholds: Thresholds) -> Replayed:
    """The results of the report at the prefix; BrokenResultsError where they are no results."""
    tree, digest, leaves = Tree(), hashlib.sha256(), hashlib.sha256()
    counted = {"Clean": 0, "Elevated": 0, "Quarantined": 0, "Error": 0}
    cached = 0
    misjudged: list[str] = []
    async for raw, line in result_lines(store, prefix):
        leaf = leaf_hash(line)
        tree.add(leaf)
        leaves.update(leaf)
        digest.update(raw)
        counted[line.verdict] += 1
        cached += line.cached
        if too_mild(line, thresholds) and len(misjudged) < 3:
            misjudged.append(f"{line.object} #{line.row}")
    return Replayed(
        documents=tree.size,
        merkle_root=f"sha256:{tree.root().hex()}",
        lines_digest=f"sha256:{digest.hexdigest()}",
        leaves_digest=leaves.hexdigest(),
        verdicts=Counts(
            documents=tree.size,
            clean=counted["Clean"],
            elevated=counted["Elevated"],
            quarantined=counted["Quarantined"],
            failed=counted["Error"],
            cached=cached,
        ),
        misjudged=tuple(misjudged),
    )


def too_mild(line: ResultLine, thresholds: Thresholds) -> bool:
    """Whether the thresholds demand a stricter verdict. A stricter one may come from the dataset as a whole."""
    if line.risk >= thresholds.quarantine:
        return line.verdict in {"Clean", "Elevated"}
    return line.risk >= thresholds.elevated and line.verdict == "Clean"


async def result_lines(store: ObjectStore, prefix: str) -> AsyncIterator[tuple[bytes, ResultLine]]:
    """Every line as it is written, and its value."""
    number = 0
    async for raw in _lines(_unpacked(store.read(f"{prefix}{RESULTS}"))):
        number += 1
        try:
            yield raw, value_of(ResultLine, raw)
        except ValueError as error:
            raise BrokenResultsError(f"line {number} of {RESULTS} is no result") from error


async def leaves_digest(store: ObjectStore, prefix: str) -> tuple[int, str]:
    """How many leaves the file of leaves has, and its SHA-256 in hex."""
    size, digest = 0, hashlib.sha256()
    async for chunk in store.read(f"{prefix}{LEAVES}"):
        size += len(chunk)
        digest.update(chunk)
    return size // HASH_BYTES, digest.hexdigest()


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line + b"\n"
        if len(rest) > MAX_LINE_BYTES:
            raise BrokenResultsError(f"a line of {RESULTS} is longer than {MAX_LINE_BYTES} bytes")
    if rest:
        raise BrokenResultsError(f"the last line of {RESULTS} has no end")


async def _unpacked(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Bounded however far it unpacks: what a chunk holds comes in pieces."""
    packed = zlib.decompressobj(_GZIP)
    try:
        async for chunk in chunks:
            piece = packed.decompress(chunk, 1 << 20)
            while piece:
                yield piece
                piece = packed.decompress(packed.unconsumed_tail, 1 << 20)
            if packed.unused_data:
                raise BrokenResultsError(f"{RESULTS} goes on behind its end")
    except zlib.error as error:
        raise BrokenResultsError(f"{RESULTS} cannot be unpacked") from error
    if not packed.eof:
        raise BrokenResultsError(f"{RESULTS} is cut off")
