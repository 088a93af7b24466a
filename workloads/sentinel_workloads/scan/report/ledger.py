"""Takes every result once, in order: the tree over them, their digest, their copy for the verifier, and their sum."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sentinel_operator.api.scanning import ResultLine
from sentinel_workloads.scan.attest.merkle import Tree, leaf_hash
from sentinel_workloads.scan.lines import line_of
from sentinel_workloads.scan.report.names import LEAVES, RESULTS
from sentinel_workloads.scan.report.summary import Summary

_LEVEL, _BUFFER_BYTES = 4, 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What one pass over all results gives. The two files lie in the folder that was named."""

    summary: Summary
    merkle_root: str
    lines_digest: str
    results_file: Path
    leaves_file: Path


async def kept(lines: AsyncIterator[ResultLine], folder: Path) -> Ledger:
    """The ledger over these results; memory does not grow with them."""
    summary, tree, digest = Summary(), Tree(), hashlib.sha256()
    results_file, leaves_file = folder / RESULTS, folder / LEAVES
    with _packed(results_file) as results, leaves_file.open("wb", buffering=_BUFFER_BYTES) as leaves:
        async for line in lines:
            leaf, written = leaf_hash(line), line_of(line)
            tree.add(leaf)
            leaves.write(leaf)
            digest.update(written)
            results.write(written)
            summary.add(line)
    return Ledger(
        summary=summary,
        merkle_root=f"sha256:{tree.root().hex()}",
        lines_digest=f"sha256:{digest.hexdigest()}",
        results_file=results_file,
        leaves_file=leaves_file,
    )


@contextmanager
def _packed(path: Path) -> Iterator[gzip.GzipFile]:
    """Neither time nor name in it: equal results give equal bytes."""
    with (
        path.open("wb", buffering=_BUFFER_BYTES) as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", filename="", compresslevel=_LEVEL, mtime=0) as packed,
    ):
        yield packed
