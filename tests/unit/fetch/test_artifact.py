"""The canonical digest, against the command line that defines it."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sentinel_workloads.fetch.artifact import UnfitArtifactError, digest_of, file_names

BY_HAND = r"find . -type f ! -path ./model.sig -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum -- | sha256sum"


def a_tree(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return root


@pytest.mark.parametrize(
    "names",
    [
        ("model.onnx",),
        ("model.onnx", "model.sig"),
        ("a/model.sig", "model.sig", "b"),
        ("a", "a.b", "a-b", "ab/c", "A", "Z", "z"),
        ("d/x", "d.x", "d-x", "d0"),
        ("ü.bin", "z.bin", "日本.bin", "a b  c", ".hidden", "-dash", "#"),
    ],
    ids=["one", "signed", "a signature below the root counts", "order", "separators", "names"],
)
def test_a_directorys_digest_is_that_of_the_command_line(tmp_path: Path, names: tuple[str, ...]) -> None:
    root = a_tree(tmp_path / "root", *names)
    by_hand = subprocess.run(BY_HAND, shell=True, cwd=root, check=True, capture_output=True, text=True).stdout
    assert digest_of(root) == f"sha256:{by_hand.split()[0]}"


def test_a_files_digest_is_its_sha256(tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    (tmp_path / "model.onnx").write_bytes(content)
    assert digest_of(tmp_path / "model.onnx") == f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_names_are_part_of_the_digest_and_empty_folders_are_not(tmp_path: Path) -> None:
    one, other = a_tree(tmp_path / "one", "a"), tmp_path / "other"
    other.mkdir()
    (other / "b").write_bytes(b"a")
    assert digest_of(one) != digest_of(other)
    before = digest_of(one)
    (one / "empty").mkdir()
    assert digest_of(one) == before


@pytest.mark.parametrize("kind", ["link", "folder link", "pipe", "backslash", "newline", "not utf-8", "deep"])
def test_what_an_artifact_must_not_hold_is_refused(tmp_path: Path, kind: str) -> None:
    root = a_tree(tmp_path / "root", "model.onnx")
    match kind:
        case "link":
            (root / "x").symlink_to("/etc/passwd")
        case "folder link":
            (root / "x").symlink_to("/etc")
        case "pipe":
            os.mkfifo(root / "x")
        case "backslash":
            (root / "a\\b").touch()
        case "newline":
            (root / "a\nb").touch()
        case "not utf-8":
            (Path(os.fsdecode(os.fsencode(root) + b"/\xff"))).touch()
        case _:
            a_tree(root, "d/" * 70 + "x")
    with pytest.raises(UnfitArtifactError):
        digest_of(root)


def test_a_link_to_a_file_or_a_pipe_has_no_digest(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(a_tree(tmp_path / "root", "x") / "x")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe"):
        with pytest.raises(UnfitArtifactError):
            digest_of(tmp_path / name)


def test_names_come_sorted_by_bytes(tmp_path: Path) -> None:
    root = a_tree(tmp_path, "b", "B", "a/z", "a.z", "é")
    assert file_names(root) == ("B", "a.z", "a/z", "b", "é")


def test_only_the_standard_library_is_needed() -> None:
    code = (
        "import sys, sentinel_workloads.fetch.artifact; print({'pydantic', 'aiohttp', 'botocore'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout.strip() == "set()"
