"""What was measured wrongly elsewhere: each test names the mistake that it is about."""

from __future__ import annotations

from typing import Any

import pytest

from sentinel_operator.core.analysis.contrast import Contrast
from tests.unit.analysis.scenes import Story, story

LABELS: dict[str, Any] = {"name": "labels", "builtin": "label-agreement", "min": 0.95}
SCORES: dict[str, Any] = {"name": "scores", "builtin": "score-psi", "max": 0.1}


def looked_at(at: Story, looks: int = 5, **counts: Contrast) -> Story:
    at.takes(**{name: {"opened": True} for name in counts})
    for _ in range(looks):
        at.after(30).takes(**{name: {"contrast": contrast} for name, contrast in counts.items()})
    return at


@pytest.mark.parametrize("many", [300, 3_000_000])
def test_more_traffic_alone_alarms_nobody(many: int):
    """A test of significance at 5 % was taken for a measure of drift: on large windows anything at all alarmed."""
    labels = Contrast({"a": 0.502 * many, "b": 0.498 * many}, {"a": 0.5 * many, "b": 0.5 * many})
    scores = Contrast(
        {"0.5": 0.502 * many, "0.9": 0.95 * many, "+Inf": 1.0 * many},
        {"0.5": 0.5 * many, "0.9": 0.95 * many, "+Inf": 1.0 * many},
    )
    at = looked_at(story(LABELS, SCORES), labels=labels, scores=scores)
    assert at.state.verdict == "Pass"


@pytest.mark.parametrize(("canary", "stable"), [(1000.0, 100_000.0), (100_000.0, 1000.0)])
def test_other_answers_are_found_whatever_the_sizes_are(canary: float, stable: float):
    """Windows of unequal sizes raised an error, which was swallowed and taken for no drift at all."""
    drifted = Contrast({"a": 0.2 * canary, "b": 0.8 * canary}, {"a": 0.8 * stable, "b": 0.2 * stable})
    assert looked_at(story(LABELS), labels=drifted).state.verdict == "Fail"


def test_scores_beyond_all_that_stable_gave_count():
    """Values outside of the baseline's range were dropped: a thousand of a thousand of them showed nothing."""
    beyond = Contrast({"0.5": 0.0, "0.9": 0.0, "+Inf": 1000.0}, {"0.5": 600.0, "0.9": 1000.0, "+Inf": 1000.0})
    assert looked_at(story(SCORES), scores=beyond).state.verdict == "Fail"


def test_what_to_compare_with_is_never_old():
    """The first hundred answers were the baseline for ever, and putting a newer one in their place never returned.

    Nobody keeps a baseline here: each look compares with what stable answered over the same time.
    """
    at = story(LABELS)
    at.takes(labels={"opened": True})
    for share in (0.9, 0.5, 0.1, 0.7, 0.3):  # what is asked changes all the time, for both alike
        mix = {"a": 1000 * share, "b": 1000 * (1 - share)}
        at.after(30).takes(labels={"contrast": Contrast(mix, mix)})
    assert at.state.verdict == "Pass"


def test_an_analysis_that_nobody_feeds_does_not_pass():
    """Nothing ever handed answers to the drift detector, which therefore found none."""
    at = story(LABELS, SCORES)
    for _ in range(40):
        at.after(30).takes(labels={"opened": True}, scores={"opened": True})
    assert at.state.verdict != "Pass"
