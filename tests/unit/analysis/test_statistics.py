"""Quantiles, distances and bounds: against scipy, against the truth of drawn samples, and at the edges."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel_operator.core.analysis.drift import (
    at_least,
    chi_squared,
    joined,
    normal_quantile,
    psi,
    total_variation,
    upper_gamma,
)
from sentinel_operator.core.analysis.quantile import beyond_last_bound, bins, count_above, quantile
from sentinel_operator.core.analysis.sequential import Share, bounds, compare, surely_above, surely_below

LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, math.inf)


def histogram(values: np.ndarray, edges: tuple[float, ...] = LATENCIES) -> dict[str, float]:
    return {"+Inf" if math.isinf(le) else repr(le): float((values <= le).sum()) for le in edges}


# ---------------------------------------------------------------------------------------------- quantiles


@pytest.mark.parametrize("median", [0.002, 0.008, 0.03])
def test_a_p99_of_wide_buckets_is_near_the_truth(median):
    values = median * np.exp(np.random.default_rng(1).normal(0, 0.5, 50_000))
    assert quantile(histogram(values), 0.99) == pytest.approx(np.quantile(values, 0.99), rel=0.06)


def test_a_quantile_at_the_edges():
    assert math.isnan(quantile({}, 0.99))
    assert math.isnan(quantile({"0.1": 0.0, "+Inf": 0.0}, 0.99))
    assert quantile({"0.1": 0.0, "0.5": 0.0, "+Inf": 10.0}, 0.99) == 0.5
    assert beyond_last_bound({"0.1": 0.0, "0.5": 0.0, "+Inf": 10.0}, 0.99)
    assert not beyond_last_bound({"0.1": 10.0, "+Inf": 10.0}, 0.99)
    assert 0 < quantile({"0.1": 10.0, "+Inf": 10.0}, 0.99) <= 0.1


COUNTS = st.lists(st.integers(0, 1000), min_size=len(LATENCIES), max_size=len(LATENCIES)).filter(any)


@given(COUNTS, st.floats(0.01, 0.999))
def test_a_quantile_leaves_its_share_above_it(counts, share):
    cumulative = dict(
        zip(["+Inf" if math.isinf(le) else repr(le) for le in LATENCIES], map(float, np.cumsum(counts)), strict=True)
    )
    value = quantile(cumulative, share)
    everything = sum(counts)
    assert 0 <= value <= 0.5
    assert count_above(cumulative, value * 0.999) >= (1 - share) * everything - 0.5 - 1e-6 * everything
    assert sum(bins(cumulative).values()) == everything


@given(COUNTS)
def test_the_higher_the_value_the_fewer_lie_above(counts):
    cumulative = dict(
        zip(["+Inf" if math.isinf(le) else repr(le) for le in LATENCIES], map(float, np.cumsum(counts)), strict=True)
    )
    above = [count_above(cumulative, value) for value in np.linspace(0, 1, 200)]
    assert all(later <= earlier + 0.5 for earlier, later in pairwise(above))


# ---------------------------------------------------------------------------------------------- distances


@pytest.mark.parametrize(("shape", "value"), [(0.5, 0.1), (4.5, 3), (9.5, 30), (2, 1e-9), (50, 45), (3, 400)])
def test_the_incomplete_gamma_is_that_of_scipy(shape, value):
    assert upper_gamma(shape, value) == pytest.approx(scipy.special.gammaincc(shape, value), abs=1e-12)


def test_chi_squared_is_that_of_scipy_for_unequal_sizes():
    pairs = [(10, 2000), (30, 1500), (5, 900)]
    expected = scipy.stats.chi2_contingency(np.array(pairs).T, correction=False).pvalue
    assert chi_squared(pairs) == pytest.approx(expected, rel=1e-9)
    assert normal_quantile(0.975) == pytest.approx(1.959964, abs=1e-6)
    assert at_least(3, 0.72) == pytest.approx(scipy.stats.poisson.sf(2, 0.72), rel=1e-9)


def test_a_hundred_against_a_thousand_is_compared_and_not_swallowed():
    same, other = [(50, 500), (30, 300), (20, 200)], [(20, 500), (30, 300), (50, 200)]
    assert chi_squared(same) == pytest.approx(1.0)
    assert chi_squared(other) < 1e-9


def test_what_lies_beyond_the_range_of_stable_is_not_dropped():
    pairs = [(0, 500), (0, 500), (1000, 0)]
    distance = psi(pairs, error=0.01)
    assert distance.value > 5
    assert distance.low > 0.25
    assert distance.p_value < 1e-9


def test_equal_distributions_are_not_apart_however_few_the_samples_are():
    rng, shares = np.random.default_rng(3), np.array([0.01] * 10 + [0.09] * 10)
    found = [
        psi(list(zip(rng.multinomial(100, shares), rng.multinomial(900, shares), strict=True)), error=0.01)
        for _ in range(300)
    ]
    assert np.mean([each.value for each in found]) < 0.03  # without the correction: 0.2, near the bound itself
    assert np.mean([each.p_value < 0.01 for each in found]) < 0.03


def test_the_bounds_of_a_distance_hold():
    rng, ours, theirs = np.random.default_rng(4), np.array([0.35, 0.4, 0.15, 0.08, 0.02]), np.array(
        [0.45, 0.3, 0.15, 0.08, 0.02]
    )  # fmt: skip
    outside = 0
    for _ in range(300):
        counts = {
            str(index): (float(c), float(s))
            for index, (c, s) in enumerate(zip(rng.multinomial(300, ours), rng.multinomial(2700, theirs), strict=True))
        }
        outside += total_variation(counts, error=0.01).low > 0.1
    assert outside <= 6


def test_sparse_bins_are_joined_and_lose_nobody():
    pairs = [(1, 0), (0, 1), (50, 40), (0, 2), (30, 35), (1, 1)]
    for ordered in (True, False):
        merged = joined(pairs, ordered=ordered)
        assert [sum(side) for side in zip(*merged, strict=True)] == [82, 79]
        assert all(sum(pair) >= 5 for pair in merged)


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=20))
def test_distances_are_numbers_whatever_is_counted(pairs):
    if not (sum(pair[0] for pair in pairs) and sum(pair[1] for pair in pairs)):
        return
    for distance in (
        psi(pairs, error=0.01),
        total_variation({str(index): pair for index, pair in enumerate(pairs)}, error=0.01),
    ):
        assert 0 <= distance.low <= distance.value <= distance.high < math.inf
        assert 0 <= distance.p_value <= 1


# ---------------------------------------------------------------------------------------------- sequential bounds


def test_the_bounds_hold_at_every_look_at_once():
    """Looks after every request would break a bound made for one look: 5 % would become most of the runs."""
    rng, outside, naive = np.random.default_rng(5), 0, 0
    for _ in range(300):
        hits = np.cumsum(rng.random(600) < 0.05)
        looks = [(int(hits[n - 1]), n) for n in range(10, 601, 10)]
        outside += any(
            surely_above(Share(k, n), 0.05, error=0.025) or surely_below(Share(k, n), 0.05, error=0.025)
            for k, n in looks
        )
        naive += any(abs(k / n - 0.05) > 1.96 * math.sqrt(0.05 * 0.95 / n) for k, n in looks)
    assert outside / 300 <= 0.05
    assert naive / 300 > 0.2


@settings(max_examples=60)
@given(st.integers(0, 300), st.integers(1, 3000), st.sampled_from([0.05, 0.001]))
def test_bounds_enclose_the_estimate_and_agree_with_the_quick_questions(hits, extra, error):
    share = Share(hits, hits + extra)
    found = bounds(share, error=error)
    assert 0 <= found.low <= share.estimate <= found.high <= 1
    for value in (0.01, 0.2, 0.5):
        if abs(value - found.low) > 1e-9 and abs(value - found.high) > 1e-9:
            assert surely_above(share, value, error=error) == (found.low > value)
            assert surely_below(share, value, error=error) == (found.high < value)


def test_nothing_counted_says_nothing():
    assert bounds(Share(0, 0), error=0.05).high == 1
    assert compare(Share(0, 0), Share(0, 0), ratio=1, plus=0.01, error=0.05) == "Open"


@pytest.mark.parametrize(
    ("canary", "stable", "finding"),
    [
        (Share(60, 600), Share(10, 5400), "Above"),
        (Share(1, 3000), Share(10, 27000), "Within"),
        (Share(3, 60), Share(10, 5400), "Open"),
    ],
)
def test_a_share_is_above_within_or_open(canary, stable, finding):
    assert compare(canary, stable, ratio=1.0, plus=0.01, error=0.01) == finding
