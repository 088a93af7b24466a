from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentinel_operator.cli.digest import digest_of
from sentinel_workloads.fetch import artifact

BY_HAND = "find . -type f ! -path ./model.sig -printf '%P\\0' | LC_ALL=C sort -z | xargs -0 sha256sum -- | sha256sum"
TREES: dict[str, dict[str, bytes]] = {
    "one file": {"model.onnx": b"weights"},
    "the order is that of bytes, across folders": {"a/b": b"1", "a.b": b"2", "a-b": b"3", "Z": b"4", "ä": b"5"},
    "only the signature at the root is left out": {"model.onnx": b"x", "model.sig": b"s", "sub/model.sig": b"t"},
    "names with spaces, quotes and stars": {"a b": b"", "'q'": b"1", "*": b"2", "-n": b"3"},
    "empty files and hidden ones": {".hidden": b"", "d/.h/e": b""},
}


@pytest.mark.parametrize("case", TREES)
def test_a_directory_has_the_digest_that_the_pods_and_the_shell_find(tmp_path: Path, case: str) -> None:
    _write(tmp_path, TREES[case])
    by_hand = subprocess.run(BY_HAND, shell=True, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=30)
    assert digest_of(tmp_path) == f"sha256:{by_hand.stdout.split()[0]}"
    assert digest_of(tmp_path) == artifact.digest_of(tmp_path)


names = st.text(
    st.characters(codec="utf-8", exclude_characters="/\\\x7f", exclude_categories=["Cc"]), min_size=1, max_size=8
).filter(lambda name: name not in {".", ".."})


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tree=st.dictionaries(names, st.dictionaries(names, st.binary(max_size=64), min_size=1, max_size=4), max_size=4))
def test_any_tree_has_the_digest_that_the_pods_find(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[str, dict[str, bytes]]
) -> None:
    root = tmp_path_factory.mktemp("tree")
    _write(root, {f"{folder}/{name}": data for folder, files in tree.items() for name, data in files.items()})
    assert digest_of(root) == artifact.digest_of(root)


def test_a_file_is_hashed_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"weights")
    by_hand = subprocess.run(["sha256sum", tmp_path / "model.onnx"], capture_output=True, text=True, check=True)
    assert digest_of(tmp_path / "model.onnx") == f"sha256:{by_hand.stdout.split()[0]}"
    assert digest_of(tmp_path / "model.onnx") == artifact.digest_of(tmp_path / "model.onnx")


def test_the_path_itself_may_be_a_link(tmp_path: Path) -> None:
    _write(tmp_path / "v1", {"model.onnx": b"weights"})
    (tmp_path / "latest").symlink_to("v1")
    assert digest_of(tmp_path / "latest") == digest_of(tmp_path / "v1")


UNFIT: dict[str, Callable[[Path], None]] = {
    "a link": lambda root: (root / "link").symlink_to("model.onnx"),
    "a link to a folder": lambda root: (root / "link").symlink_to("."),
    "a pipe": lambda root: os.mkfifo(root / "pipe"),
    "a name with a newline": lambda root: (root / "a\nb").touch(),
    "a name with a backslash": lambda root: (root / "a\\b").touch(),
    "a name that is not UTF-8": lambda root: Path(os.fsdecode(os.fsencode(root) + b"/\xff")).touch(),
    "folders without end": lambda root: _write(root, {"/".join("d" * 65): b""}),
}


@pytest.mark.parametrize("case", UNFIT)
def test_what_the_pods_refuse_has_no_digest(tmp_path: Path, case: str) -> None:
    _write(tmp_path, {"model.onnx": b"weights"})
    UNFIT[case](tmp_path)
    with pytest.raises(artifact.UnfitArtifactError):
        artifact.digest_of(tmp_path)
    with pytest.raises(ValueError):
        digest_of(tmp_path)


def _write(root: Path, tree: dict[str, bytes]) -> None:
    root.mkdir(exist_ok=True)
    for name, data in tree.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
