"""The cache is keyed by content: it changes with every byte, and with nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from devcluster.paths import content_key, keep_newest


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "inner").mkdir(parents=True)
    (root / "a.py").write_text("a")
    (root / "inner" / "b.py").write_text("b")
    return root


def _write(path: str, text: str):
    def change(root: Path) -> None:
        (root / path).parent.mkdir(exist_ok=True)
        (root / path).write_text(text)

    return change


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_write("a.py", "b"), id="a byte"),
        pytest.param(_write("c.py", ""), id="a file more"),
        pytest.param(lambda root: (root / "a.py").rename(root / "z.py"), id="a name"),
        pytest.param(lambda root: (root / "inner" / "b.py").unlink(), id="a file less"),
    ],
)
def test_it_changes_with(change, tree: Path):
    before = content_key(paths=[tree])
    change(tree)
    assert content_key(paths=[tree]) != before


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_write("__pycache__/a.cpython-311.pyc", "x"), id="bytecode"),
        pytest.param(lambda root: os.utime(root / "a.py", (0, 0)), id="a time"),
    ],
)
def test_it_does_not_change_with(change, tree: Path):
    before = content_key(paths=[tree])
    change(tree)
    assert content_key(paths=[tree]) == before


def test_texts_are_apart_from_each_other():
    assert content_key(texts=["ab", "c"]) != content_key(texts=["a", "bc"])


def test_the_newest_are_kept(tmp_path: Path):
    for age, name in enumerate(["new", "middle", "old", "oldest"]):
        (tmp_path / f"image-{name}").mkdir()
        os.utime(tmp_path / f"image-{name}", (1000 - age, 1000 - age))
    (tmp_path / "other").touch()

    keep_newest(tmp_path, "image-*", 2)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["image-middle", "image-new", "other"]
