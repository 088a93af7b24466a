"""docs/serve-a-model.md does what it says: its declaration is accepted, its signature is one that pods accept."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import yaml

from demo.models.sign import key_pair, verify_directory
from sentinel_operator.core.admission.sentrymodel import read
from sentinel_workloads.fetch.artifact import digest_of

PAGE = (Path(__file__).parents[3] / "docs" / "serve-a-model.md").read_text()


def block(language: str, beginning: str) -> str:
    """Gives the one code block of the page that begins so."""
    (found,) = [
        text
        for kind, text in re.findall(r"```(\w*)\n(.*?)```", PAGE, re.DOTALL)
        if kind == language and text.startswith(beginning)
    ]
    return found


def test_its_declaration_is_accepted():
    declared = yaml.safe_load(block("yaml", "apiVersion").replace("sha256:…", f"sha256:{'0' * 64}"))
    assert read(declared)[1] == ()


def test_its_signature_is_accepted(tmp_path: Path):
    artifact = tmp_path / "fraud" / "1.0.0"
    artifact.mkdir(parents=True)
    (artifact / "model.onnx").write_bytes(b"weights")
    pair = key_pair(tmp_path)
    program, *words = shlex.split(block("sh", "model_signing").replace("\\\n", ""))
    assert program == "model_signing"
    before = digest_of(artifact)
    done = subprocess.run(
        [sys.executable, "-m", program, *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    verify_directory(artifact, pair.public)
    assert digest_of(artifact) == before, "the signature is no part of what it signs"
