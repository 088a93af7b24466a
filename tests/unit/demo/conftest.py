"""The models, built once into the project's cache and signed into a folder of this run."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.models import injection, qos, scan_classifier, scan_embedding
from demo.models.artifact import Index, read_index
from demo.models.build import build


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every variant of every model, signed, and index.json."""
    out = tmp_path_factory.mktemp("models")
    others = (injection.recipe(), scan_embedding.recipe(), scan_classifier.recipe())
    build(out, wanted=[*(qos.recipe(variant) for variant in qos.VARIANTS.values()), *others])
    return out


@pytest.fixture(scope="session")
def index(models: Path) -> Index:
    return read_index(models)
