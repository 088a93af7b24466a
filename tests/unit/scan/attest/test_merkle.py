"""The tree of RFC 6962: known vectors, proofs for every leaf, and nothing else that passes for one."""

from __future__ import annotations

import hashlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel_operator.api.scanning import ResultLine
from sentinel_workloads.scan.attest.merkle import (
    Tree,
    hash_of_leaf,
    hash_of_node,
    inclusion_path,
    leaf_hash,
    root_from_path,
    root_of,
)

# The inputs and roots of certificate-transparency's own tests (RFC 6962, reference implementation).
INPUTS = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def leaves_of(count: int) -> list[bytes]:
    return [hash_of_leaf(str(number).encode()) for number in range(count)]


def recursive_root(leaves: list[bytes]) -> bytes:
    """MTH exactly as RFC 6962 writes it down."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hash_of_node(recursive_root(leaves[:split]), recursive_root(leaves[split:]))


@pytest.mark.parametrize("count", range(9))
def test_the_roots_are_those_of_certificate_transparency(count: int) -> None:
    assert root_of(map(hash_of_leaf, INPUTS[:count])).hex() == ROOTS[count]


@pytest.mark.parametrize("count", [*range(1, 70), 127, 128, 129, 1000])
def test_the_root_found_in_one_pass_is_the_recursive_one(count: int) -> None:
    leaves = leaves_of(count)
    assert root_of(leaves) == recursive_root(leaves)


def test_a_tree_of_a_million_leaves_holds_twenty_hashes() -> None:
    tree, leaf = Tree(), hash_of_leaf(b"")
    for _ in range(1_000_000):
        tree.add(leaf)
    assert len(tree._subtrees) <= 20
    assert tree.size == 1_000_000


@pytest.mark.parametrize("size", [*range(1, 40), 64, 65, 300])
def test_every_leaf_has_a_proof(size: int) -> None:
    leaves = leaves_of(size)
    file, root = io.BytesIO(b"".join(leaves)), root_of(leaves)
    for index, leaf in enumerate(leaves):
        path = inclusion_path(file, index, size)
        assert root_from_path(leaf, index, size, path=path) == root
        assert len(path) <= (size - 1).bit_length()


@given(size=st.integers(2, 64), data=st.data())
def test_no_other_leaf_place_size_or_path_passes(size: int, data: st.DataObject) -> None:
    leaves = leaves_of(size)
    index = data.draw(st.integers(0, size - 1))
    path, root = inclusion_path(io.BytesIO(b"".join(leaves)), index, size), root_of(leaves)
    other_index = data.draw(st.integers(-1, size).filter(lambda value: value != index))
    changed = data.draw(st.integers(0, len(path) - 1))
    forged = (*path[:changed], hash_of_leaf(b"evil"), *path[changed + 1 :])
    for leaf, place, length, way in (
        (hash_of_leaf(b"evil"), index, size, path),
        (leaves[index], other_index, size, path),
        (leaves[index], index, size, path[:-1]),
        (leaves[index], index, size, (*path, root)),
        (leaves[index], index, size, forged),
    ):
        assert proves(leaf, place, length, way) != root


def proves(leaf: bytes, index: int, size: int, path: tuple[bytes, ...]) -> bytes | None:
    try:
        return root_from_path(leaf, index, size, path=path)
    except ValueError:
        return None


def test_a_node_cannot_pass_for_a_leaf() -> None:
    left, right = leaves_of(2)
    assert hash_of_leaf(left + right) != hash_of_node(left, right)


def test_a_file_of_leaves_that_is_cut_off_is_refused() -> None:
    with pytest.raises(ValueError, match="cut off"):
        inclusion_path(io.BytesIO(b"".join(leaves_of(7))), 0, 8)


LINE = ResultLine(object="a/b.jsonl", row=3, digest="sha256:" + "0" * 64, verdict="Clean", risk=10)


def test_a_leaf_is_canonical_json() -> None:
    data = f'{{"digest":"sha256:{"0" * 64}","object":"a/b.jsonl","risk":10,"row":3,"verdict":"Clean"}}'
    assert leaf_hash(LINE) == hash_of_leaf(data.encode())


@pytest.mark.parametrize(
    "change",
    [{"object": "a/c.jsonl"}, {"row": 4}, {"digest": "sha256:" + "1" * 64}, {"verdict": "Elevated"}, {"risk": 11}],
    ids=lambda change: next(iter(change)),
)
def test_a_leaf_binds_document_and_verdict(change: dict[str, object]) -> None:
    assert leaf_hash(LINE.model_copy(update=change)) != leaf_hash(LINE)
