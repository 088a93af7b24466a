"""The commands that prove and show: what they say, and the exit codes that scripts rely on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from sentinel_workloads.scan.cli.__main__ import app
from tests.support.reports import TEXTS, Keys, Reported, a_report_of

KEYS = Keys.new()
PROVEN, NOT_PROVEN, ERROR = 0, 1, 2


@pytest.fixture
def reported(tmp_path: Path) -> Reported:
    (tmp_path / "public.pem").write_bytes(KEYS.public)
    (tmp_path / "other.pem").write_bytes(Keys.new().public)
    return asyncio.run(a_report_of(tmp_path / "scan", KEYS.signer, requested_by="ada"))


def scan(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


def test_a_report_is_proven(reported: Reported, tmp_path: Path) -> None:
    result = scan("verify", reported.root, "--key", tmp_path / "public.pem", "--dataset", reported.dataset)
    assert result.exit_code == PROVEN, result.output
    assert "FAIL" not in result.output
    assert "asked for by ada (not authenticated)" in result.output
    assert result.output.splitlines()[-1].startswith("proven: Quarantined")


def test_another_key_proves_nothing(reported: Reported, tmp_path: Path) -> None:
    result = scan("verify", reported.root, "--key", tmp_path / "other.pem")
    assert result.exit_code == NOT_PROVEN
    assert result.output.splitlines()[-1] == "NOT proven"


def test_a_changed_verdict_is_named(reported: Reported, tmp_path: Path) -> None:
    reported.edit_results(lambda lines: lines[1].update(verdict="Clean"))
    result = scan("verify", reported.root, "--key", tmp_path / "public.pem")
    assert result.exit_code == NOT_PROVEN
    assert "FAIL Merkle root" in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--identity", "a"),
        ("--key", "{public}", "--identity", "a", "--issuer", "b", "--trust-root", "c"),
        ("--key", "/nonexistent.pem"),
        ("--key", "{dataset}/a.txt"),
        ("--identity", "a", "--issuer", "b", "--trust-root", "{dataset}/a.txt"),
        ("--key", "{public}", "--document", "{dataset}/a.txt"),
        ("--key", "{public}", "--proof", "{dataset}/a.txt"),
    ],
)
def test_whom_to_trust_must_be_said_once_and_whole(
    reported: Reported, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    given = [part.format(public=tmp_path / "public.pem", dataset=reported.dataset) for part in arguments]
    result = scan("verify", reported.root, *given)
    assert result.exit_code == ERROR
    assert "Traceback" not in result.output


def test_a_place_without_report_is_not_proven(tmp_path: Path, reported: Reported) -> None:
    assert scan("verify", tmp_path / "nowhere", "--key", tmp_path / "public.pem").exit_code == NOT_PROVEN


def test_a_document_is_proven_by_its_proof(reported: Reported, tmp_path: Path) -> None:
    proof, document = tmp_path / "proof.json", reported.dataset / "b.txt"
    assert scan("prove", reported.root, "b.txt", "--output", proof).exit_code == PROVEN
    result = scan("verify", "--document", document, "--proof", proof, "--key", tmp_path / "public.pem")
    assert result.exit_code == PROVEN, result.output
    assert result.output.splitlines()[-1] == "b.txt #0: Quarantined, risk 97"
    document.write_bytes(b"other")
    result = scan("verify", "--document", document, "--proof", proof, "--key", tmp_path / "public.pem")
    assert result.exit_code == NOT_PROVEN


def test_a_proof_goes_to_standard_output(reported: Reported) -> None:
    result = scan("prove", reported.report, "a.txt")
    assert json.loads(result.output)["leaf"]["object"] == "a.txt"


@pytest.mark.parametrize("arguments", [("z.txt",), ("a.txt", "--row", "3")])
def test_what_is_not_there_has_no_proof(reported: Reported, arguments: tuple[str, ...]) -> None:
    result = scan("prove", reported.root, *arguments)
    assert result.exit_code == ERROR
    assert "no document" in result.stderr


def test_a_proof_that_is_none_is_explained(reported: Reported, tmp_path: Path) -> None:
    file = reported.dataset / "a.txt"
    result = scan("verify", "--document", file, "--proof", file, "--key", tmp_path / "public.pem")
    assert result.exit_code == ERROR
    assert "not a proof" in result.stderr


def test_a_report_is_shown_worst_first(reported: Reported) -> None:
    result = scan("report", reported.root)
    assert result.exit_code == PROVEN
    lines = result.output.splitlines()
    assert lines[0].startswith("Quarantined file://")
    assert f"{len(TEXTS)} documents" in lines[1]
    assert [line.split()[2] for line in lines if line.split()[1:2] in (["Quarantined"], ["Error"], ["Elevated"])] == [
        "b.txt",
        "f.txt",
        "c/e.txt",
    ]


def test_a_report_can_be_read_by_programs(reported: Reported) -> None:
    result = scan("report", reported.root, "--json")
    assert json.loads(result.output)["counts"]["quarantined"] == 1


def test_text_that_commands_a_terminal_does_not(tmp_path: Path) -> None:
    name = "b.txt"
    text = {name: "\x1b[2J\x1b]0;owned\x07[bold]x[/bold]\u202e".encode()}
    reported = asyncio.run(a_report_of(tmp_path / "scan", KEYS.signer, text))
    output = scan("report", reported.root).output
    assert "\x1b" not in output
    assert "\u202e" not in output
    assert "<U+001B>" in output.replace("\n", "").replace(" ", "")


def empty(folder: Path) -> None:
    (folder / "report").mkdir(parents=True)


def broken(folder: Path) -> None:
    empty(folder)
    (folder / "report" / "report.json").write_text("{}")


@pytest.mark.parametrize(("make", "says"), [(empty, "no report"), (broken, "not the report of a scan")])
def test_what_is_no_report_is_explained(tmp_path: Path, make: Callable[[Path], None], says: str) -> None:
    make(tmp_path / "x")
    result = scan("report", tmp_path / "x")
    assert result.exit_code == ERROR
    assert says in result.stderr


def test_help_imports_nothing_heavy() -> None:
    import subprocess
    import sys

    code = (
        "import sys; sys.argv = ['x', '--help']\n"
        "from sentinel_workloads.scan.cli.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'sigstore', 'onnxruntime', 'aiohttp', 'rich', 'cryptography'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] in {"[]", "['rich']"}
