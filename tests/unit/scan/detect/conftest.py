"""The scan's two models, made once into the project's cache."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.models import scan_classifier, scan_embedding
from demo.models.cache import cache_root, obtain
from sentinel_workloads.scan.detect import Detector


@pytest.fixture(scope="session")
def embedding() -> Path:
    return obtain(scan_embedding.recipe(), cache_root()).artifact


@pytest.fixture(scope="session")
def classifier() -> Path:
    return obtain(scan_classifier.recipe(), cache_root()).artifact


@pytest.fixture(scope="session")
def trained(embedding: Path, classifier: Path) -> Detector:
    """The detector as it ships."""
    return Detector.open(embedding=embedding, classifier=classifier)
