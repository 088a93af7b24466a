"""What a build leaves: an index that tells the truth about signed artifacts."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from demo.models import qos
from demo.models.artifact import Index, read_index
from demo.models.build import build, recipes
from demo.models.digest import directory_digest
from demo.models.sign import verify_directory

ROOT = Path(__file__).resolve().parents[3]


def test_every_entry_has_the_digest_of_what_lies_there(models: Path, index: Index):
    others = ["injection-classifier", "scan-embedding", "scan-classifier"]
    assert [entry.name for entry in index.models] == [*([qos.NAME] * len(qos.VARIANTS)), *others]
    for entry in index.models:
        assert directory_digest(models / entry.path) == entry.digest
        assert (models / entry.samples).is_file()


def test_every_entry_but_the_tampered_is_signed_by_the_key_of_the_index(models: Path, index: Index):
    for entry in index.models:
        if not entry.version.endswith("tampered"):
            verify_directory(models / entry.path, models / index.public_key)


def test_another_build_signs_anew_with_its_own_key_and_gives_the_same_digests(tmp_path: Path, index: Index):
    wanted = [qos.recipe(variant) for variant in qos.GOOD]
    again = build(tmp_path, wanted=wanted)
    assert read_index(tmp_path) == again
    for entry in again.models:
        assert entry.digest == index.entry(entry.name, entry.version).digest
        verify_directory(tmp_path / entry.path, tmp_path / again.public_key)


def test_a_given_key_signs_and_only_its_public_half_is_copied(tmp_path: Path, models: Path):
    keys, out = tmp_path / "mine", tmp_path / "out"
    shutil.copytree(models / "keys", keys)
    made = build(out, wanted=[qos.recipe(qos.GOOD[0])], keys=keys)
    verify_directory(out / made.models[0].path, models / "keys" / "signing.pub")
    assert [path.name for path in (out / "keys").iterdir()] == ["signing.pub"]


def test_unknown_names_are_refused(index: Index):
    with pytest.raises(KeyError, match=r"9\.9\.9"):
        recipes(["9.9.9"])
    with pytest.raises(KeyError, match=r"qos-flow-classifier 9\.9\.9"):
        index.entry("qos-flow-classifier", "9.9.9")


def test_the_command_line_builds_and_prints_digests(tmp_path: Path, index: Index):
    entry = index.entry("qos-flow-classifier", "1.0.0")
    options = ["--out", str(tmp_path), "--model", entry.name, "--variant", entry.version]
    assert entry.digest in run("build", *options)
    assert run("digest", str(tmp_path / entry.path)).strip() == entry.digest


def run(*arguments: str) -> str:
    command = [sys.executable, "-m", "demo.models", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
