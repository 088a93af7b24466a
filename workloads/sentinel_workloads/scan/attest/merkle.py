"""The Merkle tree of RFC 6962 over the verdicts of a scan: one root binds every document, its verdict and its place.

A leaf's data is the canonical JSON of what matters of a ResultLine: {digest, object, risk, row, verdict}. The root is
found in one pass in O(log n) memory. The hashes of the leaves, 32 bytes each in the order of the results, are kept as a
file of their own, from which a proof for one document is made later without reading the results again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from sentinel_operator.api.scanning import ResultLine
from sentinel_workloads.scan.attest.canonical import canonical

HASH_BYTES = 32
MAX_PATH = 64
_CHUNK_LEAVES = 8192


def leaf_hash(line: ResultLine) -> bytes:
    """The hash by which a document and its verdict stand in the tree."""
    return hash_of_leaf(canonical(leaf_data(line)))


def leaf_data(line: ResultLine) -> dict[str, str | int]:
    """What the tree binds of a document: which one it is, its text, and the verdict on it."""
    return {
        "object": line.object,
        "row": line.row,
        "digest": line.digest,
        "verdict": line.verdict,
        "risk": line.risk,
    }


def hash_of_leaf(data: bytes) -> bytes:
    """SHA-256 with the prefix that keeps a leaf from passing for a node."""
    return hashlib.sha256(b"\x00" + data).digest()


def hash_of_node(left: bytes, right: bytes) -> bytes:
    """SHA-256 over two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(slots=True)
class Tree:
    """Takes leaves one by one; holds one hash for each bit of their number."""

    size: int = 0
    _subtrees: list[bytes] = field(default_factory=list)
    """Roots of the perfect subtrees, largest first: one for each bit that is set in `size`."""

    def add(self, leaf: bytes) -> None:
        """Appends the hash of a leaf."""
        carried, size = leaf, self.size
        while size & 1:
            carried = hash_of_node(self._subtrees.pop(), carried)
            size >>= 1
        self._subtrees.append(carried)
        self.size += 1

    def root(self) -> bytes:
        """The root over all leaves so far; that of no leaves is the hash of nothing."""
        if not self._subtrees:
            return hashlib.sha256().digest()
        root = self._subtrees[-1]
        for subtree in reversed(self._subtrees[:-1]):
            root = hash_of_node(subtree, root)
        return root


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over these hashes of leaves."""
    tree = Tree()
    for leaf in leaves:
        tree.add(leaf)
    return tree.root()


def inclusion_path(leaves: BinaryIO, index: int, size: int) -> tuple[bytes, ...]:
    """PATH(index, leaves) of RFC 6962, from a file of leaf hashes: the siblings, from the leaf up."""
    if not 0 <= index < size:
        raise IndexError(f"leaf {index} of a tree of {size}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _largest_power_below(end - start)
        if index < middle:
            path.append(root_of(_read(leaves, middle, end)))
            end = middle
        else:
            path.append(root_of(_read(leaves, start, middle)))
            start = middle
    return tuple(reversed(path))


def root_from_path(leaf: bytes, index: int, size: int, *, path: tuple[bytes, ...]) -> bytes:
    """The root of a tree of `size` leaves that has this leaf at `index` (RFC 9162, 2.1.3.2); ValueError if none can."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} cannot be in a tree of {size}")
    root, node, last = leaf, index, size - 1
    for sibling in path:
        if last == 0:
            raise ValueError("the path is longer than the tree is high")
        if node & 1 or node == last:
            root = hash_of_node(sibling, root)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            root = hash_of_node(root, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise ValueError("the path is shorter than the tree is high")
    return root


def _largest_power_below(size: int) -> int:
    return 1 << (size - 1).bit_length() - 1


def _read(leaves: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    leaves.seek(start * HASH_BYTES)
    while start < end:
        count = min(_CHUNK_LEAVES, end - start)
        chunk = leaves.read(count * HASH_BYTES)
        if len(chunk) != count * HASH_BYTES:
            raise ValueError("the file of leaves is cut off")
        for offset in range(0, len(chunk), HASH_BYTES):
            yield chunk[offset : offset + HASH_BYTES]
        start += count
