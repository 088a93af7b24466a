"""The bounds that benchmarks/scan_quality holds on whole data sets, held here on a fixed part of them."""

from __future__ import annotations

import pytest

from benchmarks.scan_quality import corpora
from benchmarks.scan_quality.disguises import DISGUISES
from benchmarks.scan_quality.quality import QUARANTINED, quality, recall, risks, share
from sentinel_workloads.scan.detect import Detector

_TEXTS = corpora.s_labs()[::5]
_DISGUISED = [text for text in corpora.s_labs()[::4] if text.attack]


@pytest.fixture(scope="module")
def plain_recall(trained: Detector) -> float:
    return recall(_DISGUISED, risks(trained, [text.text for text in _DISGUISED]))


def test_attacks_are_told_from_questions(trained: Detector):
    measured = quality(_TEXTS, risks(trained, [text.text for text in _TEXTS]))
    assert measured.accuracy >= 0.93
    assert measured.precision >= 0.95
    assert measured.auc >= 0.97
    assert measured.calibration_error <= 0.06


@pytest.mark.parametrize("name", DISGUISES)
def test_a_disguise_costs_at_most_three_points_of_recall(trained: Detector, plain_recall: float, name: str):
    found = recall(_DISGUISED, risks(trained, [DISGUISES[name](text.text) for text in _DISGUISED]))
    assert found >= plain_recall - 0.03


@pytest.mark.parametrize(
    "read",
    [
        corpora.standard_library,
        corpora.standard_library_documentation,
        corpora.copyright_files,
        corpora.documentation,
    ],
    ids=lambda read: read.__name__,
)
def test_harmless_text_is_seldom_quarantined(trained: Detector, read):
    texts = read(250)
    if not texts:
        assert read is corpora.copyright_files, "only a system without Debian's packages has none"
        return
    assert share(risks(trained, texts), QUARANTINED) <= 0.012
