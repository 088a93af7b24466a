"""A signed artifact verifies with its key, and with nothing changed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from demo.models.sign import KeyPair, key_pair, sign_directory, verify_directory


@pytest.fixture
def pair(tmp_path: Path) -> KeyPair:
    return key_pair(tmp_path / "keys")


@pytest.fixture
def artifact(tmp_path: Path, models: Path, pair: KeyPair) -> Path:
    copy = tmp_path / "artifact"
    shutil.copytree(models / "qos-flow-classifier" / "1.0.0", copy)
    sign_directory(copy, pair)
    return copy


def test_what_was_signed_verifies(artifact: Path, pair: KeyPair):
    verify_directory(artifact, pair.public)


def test_model_signings_own_command_line_accepts_it(artifact: Path, pair: KeyPair):
    command = [sys.executable, "-m", "model_signing", "verify", "key", str(artifact)]
    options = ["--public_key", str(pair.public), "--signature", str(artifact / "model.sig")]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["model.onnx", "metadata.json"])
def test_one_flipped_byte_is_refused(name: str, artifact: Path, pair: KeyPair):
    content = bytearray((artifact / name).read_bytes())
    content[len(content) // 2] ^= 1
    (artifact / name).write_bytes(content)
    with pytest.raises(ValueError, match=name):
        verify_directory(artifact, pair.public)


def test_a_file_too_many_is_refused(artifact: Path, pair: KeyPair):
    (artifact / "extra").write_bytes(b"")
    with pytest.raises(ValueError, match="extra"):
        verify_directory(artifact, pair.public)


def test_a_file_too_few_is_refused(artifact: Path, pair: KeyPair):
    (artifact / "metadata.json").unlink()
    with pytest.raises(ValueError, match=r"metadata\.json"):
        verify_directory(artifact, pair.public)


def test_another_key_is_refused(artifact: Path, tmp_path: Path):
    with pytest.raises(ValueError):
        verify_directory(artifact, key_pair(tmp_path / "others").public)


def test_a_key_is_made_once_and_for_its_owner_only(tmp_path: Path):
    first = key_pair(tmp_path)
    private, public = first.private.read_bytes(), first.public.read_bytes()
    again = key_pair(tmp_path)
    assert (again.private.read_bytes(), again.public.read_bytes()) == (private, public)
    assert first.private.stat().st_mode & 0o777 == 0o600
