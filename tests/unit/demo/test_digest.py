"""The canonical digest is the one that a shell computes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from demo.models.digest import directory_digest

SHELL = (
    r"find . -type f ! -path ./model.sig -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum -- | sha256sum"
    " | cut -d' ' -f1"
)

TREES = {
    "one file": {"model.onnx": b"\x00\x01"},
    "an empty file": {"model.onnx": b"", "metadata.json": b"{}"},
    "folders sort by the bytes of the whole path": {"a/b": b"1", "a.b": b"2", "a-b": b"3", "a": None, "A": b"4"},
    "names with spaces, dots and other scripts": {"with space": b"1", ".hidden": b"2", "süß/模型": b"3", "'q\"": b"4"},
    "the signature at the root does not count, one deeper does": {
        "model.sig": b"signed",
        "deep/model.sig": b"content",
        "model.onnx": b"m",
    },
}


@pytest.mark.parametrize("tree", TREES.values(), ids=TREES.keys())
def test_equals_the_shell(tree: dict[str, bytes | None], tmp_path: Path):
    lay(tmp_path, tree)
    assert directory_digest(tmp_path) == shell_digest(tmp_path)


def test_equals_the_shell_on_the_real_artifacts(models: Path):
    for artifact in (models / "qos-flow-classifier" / "1.0.0", models / "injection-classifier" / "1.0.0"):
        assert directory_digest(artifact) == shell_digest(artifact)


def test_a_signature_changes_nothing_and_anything_else_does(tmp_path: Path):
    lay(tmp_path, {"model.onnx": b"m"})
    before = directory_digest(tmp_path)
    (tmp_path / "model.sig").write_bytes(b"signed")
    assert directory_digest(tmp_path) == before
    (tmp_path / "model.onnx").write_bytes(b"n")
    assert directory_digest(tmp_path) != before


def test_a_renamed_file_is_another_artifact(tmp_path: Path):
    lay(tmp_path, {"a": b"1", "b": b"2"})
    before = directory_digest(tmp_path)
    (tmp_path / "a").rename(tmp_path / "c")
    assert directory_digest(tmp_path) != before


def lay(root: Path, tree: dict[str, bytes | None]) -> None:
    for name, content in tree.items():
        if content is not None:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)


def shell_digest(root: Path) -> str:
    done = subprocess.run(["bash", "-c", SHELL], cwd=root, check=True, capture_output=True, text=True, timeout=30)
    return f"sha256:{done.stdout.strip()}"
