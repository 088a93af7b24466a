"""What pods counted within a window that moves: nothing twice, nothing that was there before, nothing lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel_operator.core.analysis.exposition import read
from sentinel_operator.core.analysis.window import Seen, Snapshot
from sentinel_operator.core.levels.tally import LOOKS, Tally

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
WINDOW = timedelta(minutes=5)
BOUNDS = (0.01, 0.1, 1.0)


def told(good: int, bad: int = 0, *, slow: int = 0, started: float = -3600, **labels: str) -> str:
    """The metrics of a pod: so many answered within 10 ms, so many of them (slow) within a second only."""
    extra = "".join(f',{name}="{value}"' for name, value in labels.items())
    quick = good + bad - slow
    lines = [
        f"process_start_time_seconds {(START + timedelta(seconds=started)).timestamp()}",
        f'sentinel_model_server_requests_total{{code="200"{extra}}} {good}',
        f'sentinel_model_server_requests_total{{code="503"{extra}}} {bad}',
    ]
    for bound in BOUNDS:
        count = quick if bound < 1.0 else good + bad
        lines.append(f'sentinel_model_server_request_duration_seconds_bucket{{le="{bound}"{extra}}} {count}')
    lines.append(f'sentinel_model_server_request_duration_seconds_bucket{{le="+Inf"{extra}}} {good + bad}')
    return "\n".join(lines) + "\n"


def look(minutes: float, **pods: str) -> Snapshot:
    at = START + timedelta(minutes=minutes)
    return Snapshot(at, {uid: Seen("", read(text, meant=True)) for uid, text in pods.items()})


def counted(*looks: Snapshot, there: set[str] = frozenset({"a", "b"})) -> Tally:  # type: ignore[assignment]
    tally = Tally.begun(looks[0])
    for each in looks[1:]:
        tally = tally.counted(each, there=there, window=WINDOW)
    return tally


def success(tally: Tally, minutes: float, *, least: int = 1) -> Any:
    return tally.over("successRatePercent", window=WINDOW, least=least, now=START + timedelta(minutes=minutes))


def latency(tally: Tally, minutes: float, *, least: int = 1) -> Any:
    return tally.over("p99LatencyMs", window=WINDOW, least=least, now=START + timedelta(minutes=minutes))


def test_what_was_there_before_the_first_look_is_nobodys_evidence() -> None:
    tally = counted(look(0, a=told(1000, 1000)), look(1, a=told(1090, 1010)))
    assert success(tally, 1).value == pytest.approx(90.0)
    assert "100 requests since 2026-03-01T12:00:00Z (1m0s)" in success(tally, 1).told


def test_too_few_requests_tell_nothing() -> None:
    tally = counted(look(0, a=told(0)), look(1, a=told(49)))
    assert success(tally, 1, least=50).value is None
    assert "of 49 requests" in success(tally, 1, least=50).told
    assert latency(tally, 1, least=50).value is None
    assert success(Tally.begun(look(0, a=told(90))), 0).value is None


def test_the_slowest_of_a_hundred() -> None:
    quick = counted(look(0, a=told(0)), look(1, a=told(1000, slow=1)))
    slow = counted(look(0, a=told(0)), look(1, a=told(1000, slow=100)))
    assert latency(quick, 1).value <= 10.0
    assert 100.0 < latency(slow, 1).value <= 1000.0


def test_what_is_over_is_forgotten() -> None:
    tally = counted(look(0, a=told(0)), look(1, a=told(0, 100)), look(2, a=told(100, 100)), look(9, a=told(200, 100)))
    assert success(tally, 9).value == 100.0
    assert len(tally.stretches) == 1


def test_copies_of_requests_do_not_count() -> None:
    mirrored = told(500, 500, traffic="mirrored").split("\n", 1)[1]
    tally = counted(look(0, a=told(0)), look(1, a=told(60) + mirrored))
    assert success(tally, 1).value == 100.0
    assert "of 60 requests" in success(tally, 1).told


def test_a_pod_that_does_not_answer_once_loses_no_counts_and_one_that_goes_takes_only_what_nobody_saw() -> None:
    looks = look(0, a=told(0), b=told(0)), look(1, a=told(10)), look(2, a=told(20), b=told(0, 80))
    assert success(counted(*looks), 2).value == pytest.approx(20.0)
    gone = counted(look(0, a=told(0), b=told(0)), look(1, a=told(10), b=told(0, 90)), look(2, a=told(20)), there={"a"})
    assert success(gone, 2).value == pytest.approx(100 * 20 / 110)
    assert set(gone.last.pods) == {"a"}


def test_a_pod_that_came_counts_in_full_and_one_that_began_anew_too() -> None:
    came = counted(look(0, a=told(0)), look(1, a=told(0), b=told(50, 50, started=30)))
    assert success(came, 1).value == 50.0
    anew = counted(look(0, a=told(900)), look(1, a=told(30, 10, started=30)))
    assert success(anew, 1).value == 75.0
    unseen = counted(look(0, a=told(0)), look(1, a=told(0), b=told(50, 50)))
    assert success(unseen, 1).value is None, "it was there before, and had counted that long ago"


def test_however_often_it_is_looked_what_is_kept_is_bounded() -> None:
    looks = [look(second / 60, a=told(second)) for second in range(0, 1200, 3)]
    tally = counted(*looks)
    assert len(tally.stretches) <= 2 * LOOKS + 2
    assert set(tally.last.pods["a"].counts.families) == {"requests", "seconds"}


_STEPS = st.lists(st.tuples(st.integers(1, 90), st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=20)


@settings(deadline=None)
@given(_STEPS)
def test_every_request_within_the_window_counts_once(steps) -> None:
    """And of those before it, none that is older than a stretch more."""
    now, good, bad = 0, 0, 0
    tally, history = Tally.begun(look(0, a=told(0))), list[tuple[int, int]]()
    for seconds, more, worse in steps:
        now, good, bad = now + seconds, good + more, bad + worse
        history.append((now, more + worse))
        tally = tally.counted(look(now / 60, a=told(good, bad)), there={"a"}, window=WINDOW)
    window = int(WINDOW.total_seconds())
    within = sum(count for at, count in history if at > now - window)
    earlier = sum(count for at, count in history if at > now - window - window // LOOKS)
    total = sum(sum(each.requests.values()) for each in tally.stretches)
    assert within <= total <= earlier
    found = success(tally, now / 60).value
    assert found is None if total == 0 else 0 <= found <= 100
