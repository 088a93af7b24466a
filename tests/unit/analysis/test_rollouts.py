"""Simulated rollouts of known truth, the same ones each time: how often the verdict is wrong."""

from __future__ import annotations

import pytest

from benchmarks.analysis.rollouts import many, spec, wilson
from benchmarks.analysis.traffic import AT_THE_BOUND, CANDIDATES

RUNS = 25
MODES = pytest.mark.parametrize("sequential", [False, True], ids=["interval by interval", "sequential"])


@MODES
@pytest.mark.parametrize("requests", [300, 3000], ids=["sparse", "dense"])
def test_an_equal_revision_is_not_failed(sequential, requests):
    tally = many(spec(sequential=sequential), CANDIDATES["equal"], runs=RUNS, seed=1, requests=requests)
    assert tally.verdicts["Fail"] == 0
    assert tally.verdicts["Pass"] >= RUNS - 2


@MODES
@pytest.mark.parametrize("name", [name for name in CANDIDATES if name != "equal"])
def test_a_bad_revision_is_failed(sequential, name):
    tally = many(spec(sequential=sequential), CANDIDATES[name], runs=RUNS, seed=1)
    assert tally.verdicts["Fail"] == RUNS


@pytest.mark.parametrize("name", [name for name in CANDIDATES if name != "equal"])
def test_with_few_requests_a_bad_revision_is_at_least_not_passed(name):
    tally = many(spec(sequential=False), CANDIDATES[name], runs=RUNS, seed=1, requests=300)
    assert tally.verdicts["Pass"] == 0


@pytest.mark.parametrize("name", AT_THE_BOUND)
def test_as_bad_as_is_allowed_is_hardly_ever_failed(name):
    tally = many(spec(sequential=True), AT_THE_BOUND[name], runs=RUNS, seed=1)
    assert tally.verdicts["Fail"] <= RUNS * 0.05


def test_a_sequential_failure_comes_sooner():
    looks = [
        sum(many(spec(sequential=sequential), CANDIDATES["errors"], runs=RUNS, seed=1).looks)
        for sequential in (False, True)
    ]
    assert looks[1] < looks[0]


def test_wilson():
    assert wilson(0, 1000) == pytest.approx((0.0, 0.00383), abs=1e-4)
    assert wilson(50, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)
