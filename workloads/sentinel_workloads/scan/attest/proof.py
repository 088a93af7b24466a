"""The proof for one document: its verdict, its path to the Merkle root, and the signed statement over that root.

A proof stands alone: whoever has it, the document and the signer's key needs neither report nor dataset.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from sentinel_operator.api.base import Model
from sentinel_operator.api.scanning import ResultLine, Verdict
from sentinel_workloads.scan.attest.canonical import canonical
from sentinel_workloads.scan.attest.merkle import (
    HASH_BYTES,
    MAX_PATH,
    hash_of_leaf,
    inclusion_path,
    leaf_data,
    leaf_hash,
    root_from_path,
)
from sentinel_workloads.scan.attest.outcome import Verification
from sentinel_workloads.scan.attest.replay import result_lines
from sentinel_workloads.scan.attest.verify import report_prefix, signed_statement
from sentinel_workloads.scan.report.names import BUNDLE, LEAVES
from sentinel_workloads.scan.store import ObjectStore
from sentinel_workloads.signature.bundle import MAX_BUNDLE_BYTES
from sentinel_workloads.signature.statements import StatementVerifier

Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class NoProofError(Exception):
    """There is no such document in the report, or no proof for it; the message says why."""


class Leaf(Model):
    """What the tree binds of a document."""

    object: str
    row: int
    digest: str
    verdict: Verdict
    risk: int


class Proof(Model):
    """A document's proof."""

    schema_: Literal["https://sentinel.dev/schemas/scan-proof/v1"] = Field(
        default="https://sentinel.dev/schemas/scan-proof/v1", alias="$schema"
    )
    leaf: Leaf
    index: int = Field(ge=0)
    size: int = Field(ge=1)
    """Leaves of the whole tree."""
    path: tuple[Hash, ...] = Field(max_length=MAX_PATH)
    """Hashes in hex, from the leaf to the root."""
    bundle: dict[str, Any]
    """The signed statement: a sigstore bundle."""


async def prove(store: ObjectStore, key: str, *, row: int | None = None) -> Proof:
    """The proof for a document of the report in the store; NoProofError when it has none of this object and row."""
    prefix = await report_prefix(store)
    index, size, line = await _find(store, prefix, key, row=row)
    with tempfile.TemporaryFile(prefix="sentinel-leaves-") as leaves:
        async for chunk in store.read(f"{prefix}{LEAVES}"):
            leaves.write(chunk)
        if leaves.tell() != size * HASH_BYTES:
            raise NoProofError(f"{LEAVES} is not of this report: it has another number of leaves")
        leaves.seek(index * HASH_BYTES)
        if leaves.read(HASH_BYTES) != leaf_hash(line):
            raise NoProofError(f"{LEAVES} is not of this report: leaf {index} is not this document's")
        path = inclusion_path(leaves, index, size)
    bundle = json.loads(await store.get(f"{prefix}{BUNDLE}", limit=MAX_BUNDLE_BYTES))
    leaf = Leaf.model_validate(leaf_data(line))
    return Proof(leaf=leaf, index=index, size=size, path=tuple(part.hex() for part in path), bundle=bundle)


async def _find(store: ObjectStore, prefix: str, key: str, *, row: int | None) -> tuple[int, int, ResultLine]:
    """The document's index, how many there are, and the verdict on it."""
    index, size, found, others = -1, 0, None, 0
    async for _, line in result_lines(store, prefix):
        if line.object == key:
            others += found is not None and row is None
            if row is None or line.row == row:
                index, found = (size, line) if found is None else (index, found)
        size += 1
    if others:
        raise NoProofError(f"{key} has {others + 1:,} documents: say which row")
    if found is None:
        raise NoProofError(f"the report has no document {key}{'' if row is None else f', row {row}'}")
    return index, size, found


def read_proof(content: bytes) -> Proof:
    """The proof in a file; NoProofError for anything else."""
    try:
        return Proof.model_validate_json(content)
    except ValidationError as error:
        raise NoProofError("this is not a proof for a document") from error


def verify_proof(proof: Proof, verifier: StatementVerifier, *, document: bytes | None) -> Verification:
    """That the document has this verdict in a scan that was signed. Without its bytes, only that its digest has."""
    found = Verification()
    if not (statement := signed_statement(json.dumps(proof.bundle).encode(), verifier, found)):
        return found
    results = statement.predicate.results
    try:
        leaf = hash_of_leaf(canonical(proof.leaf.model_dump(mode="json", by_alias=True)))
        path = tuple(bytes.fromhex(part) for part in proof.path)
        root = f"sha256:{root_from_path(leaf, proof.index, proof.size, path=path).hex()}"
    except ValueError as error:
        found.refuted("Merkle path", str(error))
        return found
    found.expect(
        "Merkle path",
        found=f"leaf {proof.index:,} of {proof.size:,} leads to {root}",
        signed=f"leaf {proof.index:,} of {results.documents:,} leads to {results.merkle_root}",
    )
    if document is not None:
        digest = f"sha256:{hashlib.sha256(document).hexdigest()}"
        found.expect("document", found=digest, signed=proof.leaf.digest)
    return found
