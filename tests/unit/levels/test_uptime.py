"""The share of the time in which something was up: of the time that was seen, and of no other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel_operator.core.levels.uptime import LEAST, MOST_SPANS, Standing, Uptime

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def after(**time: float) -> datetime:
    return START + timedelta(**time)


def seen(*changes: tuple[float, Standing]) -> Uptime:
    """Minutes after the start, and what was seen then."""
    (first, standing), *rest = changes
    known = Uptime.began(standing, after(minutes=first))
    for minutes, then in rest:
        known = known.then(then, after(minutes=minutes))
    return known


@pytest.mark.parametrize(
    ("known", "percent"),
    [
        (seen((0, "Up")), 100.0),
        (seen((0, "Down")), 0.0),
        (seen((0, "Up"), (30, "Down")), 50.0),
        (seen((0, "Up"), (30, "Down"), (45, "Up")), 75.0),
        (seen((0, "Off"), (30, "Up"), (45, "Down")), 50.0),
        (seen((0, "Up"), (15, "Off"), (45, "Down")), 50.0),
    ],
)
def test_an_hour_of_it(known, percent):
    found = known.over(DAY, after(minutes=60))
    assert found.value == pytest.approx(percent)
    assert "by the operator, since 2026-03-01T12:00:00Z (1h0m)" in found.told


@pytest.mark.parametrize("known", [seen((0, "Up")), seen((0, "Down")), seen((-600, "Off"), (0, "Up"))])
def test_of_too_short_a_time_nothing_is_told(known):
    found = known.over(DAY, START + LEAST - timedelta(seconds=1))
    assert found.value is None
    assert "10 m are needed" in found.told
    assert known.over(DAY, START + LEAST).value is not None


def test_what_was_before_the_window_does_not_count():
    known = seen((0, "Down"), (60, "Up"))
    assert known.over(timedelta(hours=1), after(hours=2)).value == 100.0
    assert known.over(timedelta(hours=2), after(hours=2)).value == 50.0


def test_a_pod_that_was_ready_before_anybody_looked_tells_of_the_time_before():
    known = seen((0, "Up"), (30, "Down")).up_before(after(minutes=-30))
    assert known.over(DAY, after(minutes=60)).value == pytest.approx(100 * 60 / 90)
    assert seen((0, "Down")).up_before(after(minutes=-30)) == seen((0, "Down")), "it cannot have been up then"
    assert seen((0, "Up")).up_before(after(minutes=5)) == seen((0, "Up")), "a later one tells nothing new"


def test_it_is_bounded():
    known = seen((0, "Up"))
    for number in range(5 * MOST_SPANS):
        known = known.then("Down" if number % 2 == 0 else "Up", after(seconds=number))
    assert len(known.spans) == MOST_SPANS


_CHANGES = st.lists(
    st.tuples(st.integers(0, 3000), st.sampled_from(["Up", "Down", "Off"])), min_size=1, max_size=30
).map(lambda found: sorted(found, key=lambda each: each[0]))


@given(_CHANGES, st.integers(10, 3000))
def test_it_is_what_a_count_of_the_minutes_gives(changes, window):
    known, end = seen(*changes), 3100
    found = known.over(timedelta(minutes=window), after(minutes=end)).value

    def standing(minute: int) -> str:
        return [each for at, each in changes if at <= minute][-1]

    minutes = [standing(each) for each in range(max(changes[0][0], end - window), end)]
    up, meant = minutes.count("Up"), minutes.count("Up") + minutes.count("Down")
    if meant < LEAST.total_seconds() / 60:
        assert found is None
    else:
        assert found == pytest.approx(100 * up / meant)


@given(_CHANGES, st.integers(10, 3000))
def test_what_is_forgotten_changes_nothing_within_the_window(changes, window):
    known, now, time = seen(*changes), after(minutes=3100), timedelta(minutes=window)
    assert known.forgot(now - time).over(time, now) == known.over(time, now)


@given(_CHANGES, st.integers(-500, 500))
def test_a_clock_that_is_set_back_makes_no_share_that_cannot_be(changes, back):
    known = seen(*changes).then("Down", after(minutes=changes[-1][0] + back)).then("Up", after(minutes=back))
    found = known.over(DAY, after(minutes=3600)).value
    assert found is None or 0 <= found <= 100
