"""The two models of the scan are among those that are built, and say what they are."""

from __future__ import annotations

import json
from pathlib import Path

from demo.models import scan_classifier, scan_embedding
from demo.models.build import build, recipes
from demo.models.digest import directory_digest
from demo.models.sign import verify_directory


def test_both_are_built_signed_and_indexed(tmp_path: Path):
    wanted = [recipe for recipe in recipes() if recipe.name in {scan_embedding.NAME, scan_classifier.NAME}]
    index = build(tmp_path, wanted=wanted)
    for module, files in (
        (scan_embedding, {"model.onnx", "tokenizer.json", "metadata.json", "model.sig"}),
        (scan_classifier, {"head.json", "metadata.json", "model.sig"}),
    ):
        entry = index.entry(module.NAME, module.VERSION)
        folder = tmp_path / entry.path
        assert {path.name for path in folder.iterdir()} == files
        assert directory_digest(folder) == entry.digest
        verify_directory(folder, tmp_path / index.public_key)


def test_the_classifier_says_what_it_learnt_from(tmp_path: Path):
    scan_classifier.make(tmp_path, tmp_path)
    training = json.loads((tmp_path / "metadata.json").read_text())["training"]
    assert training["rows"] > 40_000
    assert training["encoder"] == {"name": scan_embedding.NAME, "version": scan_embedding.VERSION}
    assert "test" not in json.dumps(training)
