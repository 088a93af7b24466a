"""The report step on what shards really leave: whole it is signed, not whole it never is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sentinel_operator.api.scanning import Reading, ScanConfig, ScanExit, Signing, Store, Thresholds
from sentinel_workloads.objectstore.failures import Failure
from sentinel_workloads.scan.cli.run import Asked, config_of, run
from sentinel_workloads.scan.report import step
from tests.support.reports import Keys

BUNDLE = "report/statement.sigstore.json"


@pytest.fixture
async def scanned(tmp_path: Path) -> ScanConfig:
    """A scan of 30 rows in several parts, with its report."""
    (tmp_path / "data").mkdir()
    rows = [json.dumps({"text": f"A harmless sentence about bread, number {number}."}) for number in range(600)]
    (tmp_path / "data" / "rows.jsonl").write_text("\n".join(rows))
    (tmp_path / "private.pem").write_bytes(Keys.new().private)
    asked = Asked(
        place=str(tmp_path / "data"),
        output=str(tmp_path / "out"),
        reading=Reading(),
        thresholds=Thresholds(),
        signing=Signing(type="Key", key_file=str(tmp_path / "private.pem")),
        quiet=True,
    )
    assert await run(asked) == 0
    return config_of(asked)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


async def test_a_second_run_gives_the_same_report(scanned: ScanConfig, out: Path) -> None:
    before = json.loads((out / "report/report.json").read_bytes())
    outcome = await step.run(scanned)
    after = json.loads((out / "report/report.json").read_bytes())
    assert {**before, "finishedAt": ""} | {"job": {}} == {**after, "finishedAt": ""} | {"job": {}}
    assert outcome.merkle_root == before["attested"]["merkleRoot"]
    assert (out / BUNDLE).exists()


def a_part_is_gone(out: Path) -> None:
    (out / "shards/00000/part-000000.jsonl.gz").unlink()


def the_last_part_is_gone(out: Path) -> None:
    max((out / "shards/00000").iterdir()).unlink()


def a_part_is_broken(out: Path) -> None:
    path = out / "shards/00000/part-000001.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize("change", [a_part_is_gone, the_last_part_is_gone, a_part_is_broken])
async def test_results_that_are_not_whole_are_never_signed(
    scanned: ScanConfig, out: Path, change: Callable[[Path], None]
) -> None:
    for path in (out / "report").iterdir():
        path.unlink()
    change(out)
    with pytest.raises(Failure) as caught:
        await step.run(scanned)
    assert caught.value.code == ScanExit.ResultsMissing
    assert not list((out / "report").iterdir())


async def test_a_key_that_is_none_is_said_before_anything_is_read(scanned: ScanConfig, tmp_path: Path) -> None:
    (tmp_path / "private.pem").write_text("nonsense")
    gone = scanned.model_copy(update={"output": Store(uri="file:///nonexistent/")})
    with pytest.raises(Failure, match="signing key") as caught:
        await step.run(gone)
    assert (caught.value.code, caught.value.field) == (ScanExit.SigningFailed, "spec.signing.key")


async def test_a_signature_that_fails_leaves_no_old_one(scanned: ScanConfig, out: Path, tmp_path: Path) -> None:
    class Refuses:
        def sign(self, statement: bytes) -> object:
            raise step.SigningError("the log is away", field="spec.signing.keyless")

    monkey = pytest.MonkeyPatch()
    monkey.setattr(step, "signer_of", lambda signing: Refuses())
    with monkey.context(), pytest.raises(Failure, match="the log is away"):
        await step.run(scanned)
    monkey.undo()
    assert not (out / BUNDLE).exists()


async def test_a_webhook_that_is_away_is_told_of_in_the_outcome(scanned: ScanConfig) -> None:
    outcome = await step.run(scanned.model_copy(update={"webhook": "ftp://x"}))
    assert "http://" in outcome.untold
    assert outcome.signature


async def test_the_statement_says_who_asked_and_who_vouches_for_it(scanned: ScanConfig, out: Path) -> None:
    for uid, vouched in (("", "Nobody"), ("0f3c", "Kubernetes")):
        await step.run(scanned.model_copy(update={"uid": uid, "requested_by": "ada"}))
        job = json.loads((out / "report/report.json").read_bytes())["job"]
        assert (job["requestedBy"], job["verifiedBy"]) == ("ada", vouched)
