"""A report proves itself; whatever is changed in it, in its dataset or in its statement is found."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sentinel_operator.api.scanning import Store
from sentinel_operator.api.serving import Retry
from sentinel_workloads.scan.attest.outcome import Verification
from sentinel_workloads.scan.attest.verify import verify_report
from sentinel_workloads.scan.store import open_store
from sentinel_workloads.signature.statements import StatementVerifier
from tests.support.reports import Keys, Reported, a_report_of, sha

KEYS = Keys.new()


@pytest.fixture
async def reported(tmp_path: Path) -> Reported:
    return await a_report_of(tmp_path, KEYS.signer)


async def verified(
    reported: Reported, verifier: StatementVerifier | None = None, *, dataset: bool = True, at: Path | None = None
) -> Verification:
    async with (
        open_store(Store(uri=f"{(at or reported.root).as_uri()}/"), field="report", retry=Retry()) as store,
        open_store(Store(uri=f"{reported.dataset.as_uri()}/"), field="dataset", retry=Retry()) as data,
    ):
        return await verify_report(store, verifier or KEYS.verifier, dataset=data if dataset else None)


def refuted(found: Verification) -> set[str]:
    return {check.name for check in found.checks if not check.ok}


async def test_a_report_proves_itself_and_its_dataset(reported: Reported) -> None:
    found = await verified(reported)
    assert found.ok, found.checks
    assert {check.name for check in found.checks} == {
        "signature",
        "complete",
        "report.json",
        "report.html",
        "bom.cdx.json",
        "clean.jsonl",
        "Merkle root",
        "results",
        "counts",
        "thresholds",
        "leaves.bin",
        "objects.jsonl",
        "dataset",
    }
    assert found.identity == reported.outcome.identity


async def test_the_folder_of_the_report_alone_is_enough(reported: Reported) -> None:
    assert (await verified(reported, at=reported.report)).ok


# ------------------------------------------------------------------------------------------------ changed results


def milder_verdict(lines: list[dict[str, Any]]) -> None:
    lines[1]["verdict"] = "Clean"


def lower_risk(lines: list[dict[str, Any]]) -> None:
    lines[1].update(verdict="Clean", risk=1)


def other_document(lines: list[dict[str, Any]]) -> None:
    lines[1]["digest"] = f"sha256:{'0' * 64}"


def other_name(lines: list[dict[str, Any]]) -> None:
    lines[1]["object"] = "z.txt"


def other_row(lines: list[dict[str, Any]]) -> None:
    lines[1]["row"] = 5


def other_order(lines: list[dict[str, Any]]) -> None:
    lines[0], lines[1] = lines[1], lines[0]


def one_fewer(lines: list[dict[str, Any]]) -> None:
    lines.pop()


def one_more(lines: list[dict[str, Any]]) -> None:
    lines.append({**lines[0], "object": "new.txt"})


def twice(lines: list[dict[str, Any]]) -> None:
    lines.append(lines[-1])


def no_reason(lines: list[dict[str, Any]]) -> None:
    lines[1]["reasons"] = []


def other_excerpt(lines: list[dict[str, Any]]) -> None:
    lines[1]["excerpt"] = "harmless"


@pytest.mark.parametrize(
    "change",
    [
        milder_verdict,
        lower_risk,
        other_document,
        other_name,
        other_row,
        other_order,
        one_fewer,
        one_more,
        twice,
    ],
)
async def test_a_changed_verdict_document_or_order_is_found(
    reported: Reported, change: Callable[[list[dict[str, Any]]], None]
) -> None:
    reported.edit_results(change)
    assert "Merkle root" in refuted(await verified(reported, dataset=False))


@pytest.mark.parametrize("change", [no_reason, other_excerpt])
async def test_a_changed_reason_is_found(reported: Reported, change: Callable[[list[dict[str, Any]]], None]) -> None:
    reported.edit_results(change)
    assert refuted(await verified(reported)) == {"results"}


async def test_a_verdict_milder_than_the_risk_is_named(reported: Reported) -> None:
    reported.edit_results(milder_verdict)
    found = await verified(reported)
    assert "b.txt #0" in next(check.said for check in found.checks if check.name == "thresholds")


# ------------------------------------------------------------------------------------------------ changed files


def text_edit(name: str, old: str, new: str) -> Callable[[Reported], None]:
    return lambda reported: reported.edit(name, lambda text: text.replace(old, new, 1))


def removed(name: str) -> Callable[[Reported], None]:
    return lambda reported: (reported.report / name).unlink()


def cut(name: str) -> Callable[[Reported], None]:
    def change(reported: Reported) -> None:
        path = reported.report / name
        path.write_bytes(path.read_bytes()[:-7])

    return change


def appended(name: str) -> Callable[[Reported], None]:
    def change(reported: Reported) -> None:
        path = reported.report / name
        path.write_bytes(path.read_bytes() + gzip.compress(b"x\n"))

    return change


def overwritten(name: str, content: bytes) -> Callable[[Reported], None]:
    return lambda reported: (reported.report / name).write_bytes(content) and None


CHANGES: dict[str, tuple[Callable[[Reported], None], str]] = {
    "threshold in the report": (text_edit("report.json", '"quarantine": 70', '"quarantine": 99'), "report.json"),
    "detector in the report": (text_edit("report.json", "abab", "cdcd"), "report.json"),
    "number on the page": (text_edit("report.html", "Quarantined", "Clean"), "report.html"),
    "model in the bill": (text_edit("bom.cdx.json", '"7"', '"8"'), "bom.cdx.json"),
    "more in the clean set": (text_edit("clean.jsonl", "a.txt", "b.txt"), "clean.jsonl"),
    "another list of objects": (text_edit("objects.jsonl", "a.txt", "A.txt"), "objects.jsonl"),
    "another size of an object": (text_edit("objects.jsonl", '"size":19', '"size":20'), "objects.jsonl"),
    "no report": (removed("report.json"), "report.json"),
    "no results": (removed("results.jsonl.gz"), "results"),
    "no leaves": (removed("leaves.bin"), "results"),
    "no objects": (removed("objects.jsonl"), "objects.jsonl"),
    "results cut off": (cut("results.jsonl.gz"), "results"),
    "results that go on": (appended("results.jsonl.gz"), "results"),
    "results that are none": (overwritten("results.jsonl.gz", gzip.compress(b"{}\n")), "results"),
    "results that are not packed": (overwritten("results.jsonl.gz", b"{}\n"), "results"),
    "results without an end": (overwritten("results.jsonl.gz", gzip.compress(b"{}")), "results"),
    "leaves cut off": (cut("leaves.bin"), "leaves.bin"),
    "other leaves": (overwritten("leaves.bin", b"\0" * 160), "leaves.bin"),
    "objects cut off": (cut("objects.jsonl"), "objects.jsonl"),
    "no signature": (removed("statement.sigstore.json"), "signature"),
}


@pytest.mark.parametrize(("change", "name"), CHANGES.values(), ids=CHANGES)
async def test_a_changed_file_is_found(reported: Reported, change: Callable[[Reported], None], name: str) -> None:
    change(reported)
    assert name in refuted(await verified(reported, dataset=False))


# ------------------------------------------------------------------------------------------------ changed dataset


def changed(dataset: Path) -> None:
    (dataset / "a.txt").write_bytes(b"A recipe for poison.")


def added(dataset: Path) -> None:
    (dataset / "new.txt").write_bytes(b"new")


def gone(dataset: Path) -> None:
    (dataset / "c/d.txt").unlink()


def renamed(dataset: Path) -> None:
    (dataset / "a.txt").rename(dataset / "aa.txt")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (changed, "changed: a.txt"),
        (added, "not scanned: new.txt"),
        (gone, "missing: c/d.txt"),
        (renamed, "missing: a.txt; not scanned: aa.txt"),
    ],
)
async def test_a_changed_dataset_is_found(reported: Reported, change: Callable[[Path], None], says: str) -> None:
    change(reported.dataset)
    found = await verified(reported)
    assert refuted(found) == {"dataset"}
    assert found.checks[-1].said == says


# ------------------------------------------------------------------------------------------------ changed statement


def payload_edit(change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], None]:
    def edit(bundle: dict[str, Any]) -> None:
        statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
        change(statement)
        bundle["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()

    return edit


STATEMENTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "threshold": lambda raw: raw["predicate"]["policy"]["thresholds"].update(quarantine=99),
    "detector": lambda raw: raw["predicate"]["detector"].update(digest="sha256:" + "0" * 64),
    "verdict": lambda raw: raw["predicate"].update(verdict="Clean"),
    "root": lambda raw: raw["predicate"]["results"].update(merkleRoot="sha256:" + "0" * 64),
    "who asked": lambda raw: raw["predicate"]["job"].update(requestedBy="mallory"),
    "dataset": lambda raw: raw["subject"][0]["digest"].update(sha256="0" * 64),
    "nothing but its form": lambda raw: None,
}


@pytest.mark.parametrize("change", STATEMENTS.values(), ids=STATEMENTS)
async def test_a_changed_statement_is_found(reported: Reported, change: Callable[[dict[str, Any]], Any]) -> None:
    reported.edit_bundle(payload_edit(change))
    assert refuted(await verified(reported)) == {"signature"}


async def test_a_whole_report_by_somebody_else_is_not_accepted(tmp_path: Path) -> None:
    forged = await a_report_of(tmp_path, Keys.new().signer)
    assert refuted(await verified(forged)) == {"signature"}


async def test_a_signature_moved_from_another_report_is_found(tmp_path: Path, reported: Reported) -> None:
    other = await a_report_of(tmp_path / "other", KEYS.signer, {"a.txt": b"other"})
    content = (other.report / "statement.sigstore.json").read_bytes()
    (reported.report / "statement.sigstore.json").write_bytes(content)
    assert {"report.json", "Merkle root", "counts", "objects.jsonl"} <= refuted(await verified(reported))


async def test_a_report_without_signature_proves_nothing(tmp_path: Path) -> None:
    unsigned = await a_report_of(tmp_path, None)
    assert unsigned.outcome.signature == ""
    assert refuted(await verified(unsigned)) == {"signature"}


async def test_a_scan_during_which_objects_changed_is_not_complete(tmp_path: Path) -> None:
    reported = await a_report_of(tmp_path, KEYS.signer, unread=1)
    assert reported.outcome.verdict == "Incomplete"
    assert refuted(await verified(reported)) == {"complete"}


async def test_an_empty_dataset_is_proven_to_be_empty(tmp_path: Path) -> None:
    reported = await a_report_of(tmp_path, KEYS.signer, {})
    assert reported.outcome.verdict == "Clean"
    assert (await verified(reported)).ok
    (reported.dataset / "new.txt").write_bytes(b"")
    assert refuted(await verified(reported)) == {"dataset"}


async def test_the_outcome_names_the_report_by_its_digest(reported: Reported) -> None:
    assert reported.outcome.digest == f"sha256:{sha((reported.report / 'report.json').read_bytes())}"
    assert reported.outcome.uri == f"{reported.root.as_uri()}/report/report.json"
