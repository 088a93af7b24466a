"""One document's proof: made for every document, standing alone, and worthless for any other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sentinel_operator.api.scanning import Store
from sentinel_operator.api.serving import Retry
from sentinel_workloads.scan.attest.proof import NoProofError, Proof, prove, read_proof, verify_proof
from sentinel_workloads.scan.store import open_store
from tests.support.reports import TEXTS, VERDICTS, Keys, Reported, a_report_of

KEYS = Keys.new()


@pytest.fixture
async def reported(tmp_path: Path) -> Reported:
    return await a_report_of(tmp_path, KEYS.signer)


async def proof_of(reported: Reported, name: str, row: int | None = None) -> Proof:
    async with open_store(Store(uri=f"{reported.root.as_uri()}/"), field="report", retry=Retry()) as store:
        return await prove(store, name, row=row)


@pytest.mark.parametrize("name", TEXTS)
async def test_every_document_has_a_proof_that_stands_alone(reported: Reported, name: str) -> None:
    written = (await proof_of(reported, name)).model_dump_json(by_alias=True).encode()
    proof = read_proof(written)
    found = verify_proof(proof, KEYS.verifier, document=TEXTS[name])
    assert found.ok, found.checks
    assert (proof.leaf.verdict, proof.leaf.risk) == VERDICTS.get(name, ("Clean", 3))


async def test_without_the_document_its_digest_is_proven(reported: Reported) -> None:
    found = verify_proof(await proof_of(reported, "a.txt"), KEYS.verifier, document=None)
    assert found.ok
    assert "document" not in {check.name for check in found.checks}


CHANGES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "verdict": ({"verdict": "Clean"}, {}),
    "risk": ({"risk": 0}, {}),
    "digest": ({"digest": "sha256:" + "0" * 64}, {}),
    "object": ({"object": "a.txt"}, {}),
    "row": ({"row": 1}, {}),
    "index": ({}, {"index": 0}),
    "index beyond": ({}, {"index": 7}),
    "size": ({}, {"size": 6}),
    "no path": ({}, {"path": ()}),
    "other path": ({}, {"path": ("00" * 32,) * 3}),
}


@pytest.mark.parametrize(("leaf", "proof"), CHANGES.values(), ids=CHANGES)
async def test_a_changed_proof_proves_nothing(reported: Reported, leaf: dict[str, Any], proof: dict[str, Any]) -> None:
    good = await proof_of(reported, "b.txt")
    bad = good.model_copy(update={"leaf": good.leaf.model_copy(update=leaf), **proof})
    assert not verify_proof(bad, KEYS.verifier, document=None).ok


async def test_another_document_is_not_the_one_that_was_judged(reported: Reported) -> None:
    found = verify_proof(await proof_of(reported, "a.txt"), KEYS.verifier, document=TEXTS["b.txt"])
    assert [check.name for check in found.checks if not check.ok] == ["document"]


async def test_a_proof_under_another_key_is_refused(reported: Reported) -> None:
    proof = await proof_of(reported, "a.txt")
    assert not verify_proof(proof, Keys.new().verifier, document=TEXTS["a.txt"]).ok


@pytest.mark.parametrize(("name", "row"), [("z.txt", None), ("a.txt", 3)])
async def test_what_is_not_in_the_report_has_no_proof(reported: Reported, name: str, row: int | None) -> None:
    with pytest.raises(NoProofError, match="no document"):
        await proof_of(reported, name, row)


def of_another_length(content: bytes) -> bytes:
    return content[:-32]


def of_another_report(content: bytes) -> bytes:
    return bytes(len(content))


@pytest.mark.parametrize("change", [of_another_length, of_another_report])
async def test_leaves_of_another_report_give_no_proof(reported: Reported, change: Callable[[bytes], bytes]) -> None:
    path = reported.report / "leaves.bin"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(NoProofError, match="not of this report"):
        await proof_of(reported, "a.txt")


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"leaf": {}}'])
def test_what_is_no_proof_is_refused(content: bytes) -> None:
    with pytest.raises(NoProofError):
        read_proof(content)


async def test_an_object_of_many_documents_needs_a_row(tmp_path: Path) -> None:
    reported = await a_report_of(tmp_path, KEYS.signer)
    reported.edit_results(lambda lines: lines.append({**lines[0], "row": 9}))
    with pytest.raises(NoProofError, match="say which row"):
        await proof_of(reported, "a.txt")
