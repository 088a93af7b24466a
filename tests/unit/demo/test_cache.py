"""Artifacts are made once, and made anew when what they depend on, or their own bytes, changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from demo.models.artifact import Facts, Recipe
from demo.models.cache import cache_key, obtain

Made = list[Path]


@pytest.fixture
def made() -> Made:
    return []


@pytest.fixture
def recipe(made: Made) -> Recipe:
    return Recipe("small", "1.0.0", maker(made), modules=("digest",), distributions=("numpy",))


def maker(made: Made) -> Callable[[Path, Path], Facts]:
    def make(artifact: Path, samples: Path) -> Facts:
        made.append(artifact)
        (artifact / "model.onnx").write_bytes(b"model")
        (samples / "samples.json").write_text("{}")
        return Facts("Generic", (), ("a", "b"), {"accuracy": 0.5})

    return make


def test_a_second_time_nothing_is_made(recipe: Recipe, made: Made, tmp_path: Path):
    first, second = obtain(recipe, tmp_path), obtain(recipe, tmp_path)
    assert first == second
    assert first.facts.labels == ("a", "b")
    assert len(made) == 1


def test_a_damaged_entry_is_made_anew(recipe: Recipe, made: Made, tmp_path: Path):
    built = obtain(recipe, tmp_path)
    (built.artifact / "model.onnx").write_bytes(b"damaged")
    assert (obtain(recipe, tmp_path).artifact / "model.onnx").read_bytes() == b"model"
    assert len(made) == 2


def test_a_failed_build_leaves_nothing_behind(recipe: Recipe, tmp_path: Path):
    def fail(artifact: Path, samples: Path) -> Facts:
        (artifact / "model.onnx").write_bytes(b"half")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        obtain(replace(recipe, make=fail), tmp_path)
    assert [path for path in tmp_path.iterdir() if path.suffix != ".lock"] == []


def test_the_key_follows_all_that_the_bytes_depend_on(recipe: Recipe):
    others = [
        replace(recipe, version="1.0.1"),
        replace(recipe, parameters="seed=2"),
        replace(recipe, modules=("digest", "sign")),
        replace(recipe, distributions=("numpy", "onnx")),
    ]
    keys = {cache_key(recipe), *(cache_key(other) for other in others)}
    assert len(keys) == len(others) + 1
