"""How far, how fast, how long: what the pods tell, put together."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from sentinel_operator.api.scanning import Counts, ShardOutcome
from sentinel_operator.api.scanstatus import ScanProgress
from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.core.scanjob.indexes import count
from sentinel_operator.core.scanjob.outcome import read_progress
from sentinel_operator.core.scanjob.progress import WRITE_EVERY, Pace, advanced, summed
from tests.support.builders import NOW
from tests.support.scanworld import ScanWorld, a_scan, counts

numbers = st.integers(min_value=0, max_value=10**15)
counted = st.builds(
    Counts, documents=numbers, clean=numbers, elevated=numbers, quarantined=numbers, failed=numbers, bytes=numbers
)
RISING = ("scanned", "cached", "quarantined", "elevated", "failed", "bytes")


def pace(seconds: float = 0, **more) -> Pace:
    return Pace(**{"total_bytes": 30_000, "pods": 2, "now": NOW + timedelta(seconds=seconds), **more})


@given(st.lists(counted, min_size=1, max_size=20), st.lists(st.integers(0, 600), min_size=20, max_size=20))
def test_no_count_ever_goes_back(looks, pauses):
    progress, at = None, 0
    for look, pause in zip(looks, pauses, strict=False):
        at += pause
        after = advanced(progress, look, pace(at))
        if progress is not None:
            assert all(getattr(after, name) >= getattr(progress, name) for name in RISING)
            assert int(after.percent[:-1]) >= int(progress.percent[:-1])
        assert after.eta_seconds is None or after.eta_seconds >= 0
        assert after.documents_per_minute is None or after.documents_per_minute >= 0
        progress = after


@given(st.lists(counted, max_size=10))
def test_the_whole_is_the_sum_of_its_shards(shards):
    assert summed(shards).documents == sum(each.documents for each in shards)
    assert summed(shards).bytes == sum(each.bytes for each in shards)


@given(st.integers(1, 1000), st.integers(1, 1000), st.integers(2, 100))
def test_a_steady_pace_is_told_as_it_is(documents, size, steps):
    progress = None
    total = 200 * documents * size
    for step in range(steps + 1):
        of = Counts(documents=step * documents, bytes=step * documents * size)
        progress = advanced(progress, of, pace(step * 5, total_bytes=total))
    assert progress is not None
    assert abs(progress.documents_per_minute - documents * 12) <= 1
    if documents * size >= 500:  # the rate is kept in whole bytes a second
        left = (total - steps * documents * size) / (documents * size / 5)
        assert abs(progress.eta_seconds - left) <= 0.01 * left + 2


def test_it_is_not_said_to_be_done_before_the_report():
    assert advanced(None, Counts(documents=1, bytes=99_999), pace()).percent == "99%"
    assert advanced(None, Counts(), pace(total_bytes=0)).percent == "0%"


def test_what_stands_still_gets_slower_and_slower():
    moving = advanced(advanced(None, Counts(), pace()), Counts(documents=100, bytes=5_000), pace(10))
    still = moving
    for at in range(20, 200, 10):
        slower = advanced(still, Counts(documents=100, bytes=5_000), pace(at))
        assert slower.documents_per_minute <= still.documents_per_minute
        still = slower
    assert still.documents_per_minute < moving.documents_per_minute / 2


def test_what_documents_cost():
    priced = pace(60, pods=4, pod_price=0.06, currency="EUR")
    before = ScanProgress(observed_at="2025-03-01T12:00:00Z")
    after = advanced(before, Counts(documents=2_000, bytes=1), priced)
    assert after.cost_per_thousand == "0.002 EUR"
    assert advanced(before, Counts(documents=2_000, bytes=1), pace(60)).cost_per_thousand == ""


def test_the_price_of_a_pod_is_that_of_what_it_requests():
    config = SentinelConfigSpec.model_validate({"prices": {"cpuHour": 0.04, "memoryGibHour": 0.005, "currency": "EUR"}})
    scan = ScanWorld(a_scan(pod={"resources": {"requests": {"cpu": "2", "memory": "2Gi"}}}), config=config)
    scan.settle()
    assert '"pricePerHour":0.09' in scan.objects["ConfigMap", "tickets-scan"]["data"]["scan.json"]


def test_running_pods_are_asked_and_what_they_say_is_added_up():
    scan = ScanWorld(a_scan()).planned(3)
    watching = scan.plan().watch
    assert watching is not None
    assert {target.at(watching.path) for target in watching.subject.targets} == {
        f"http://10.0.0.{index}:9090/progress" for index in (1, 2, 3)
    }
    scan.wait(10)
    scan.tell(0, counts(30))
    scan.tell(1, counts(20, quarantined=1))
    scan.settle()
    assert scan.status["progress"] == {
        "percent": "16%",
        "scanned": 50,
        "cached": 0,
        "quarantined": 1,
        "elevated": 0,
        "failed": 0,
        "bytes": 5000,
        "totalBytes": 30_000,
        "documentsPerMinute": 300,
        "bytesPerSecond": 500,
        "etaSeconds": 50,
        "observedAt": "2025-03-01T12:00:10Z",
    }


def test_a_pod_that_is_replaced_loses_nothing_of_what_is_told():
    scan = ScanWorld(a_scan()).planned(2)
    scan.wait(10)
    scan.tell(0, counts(100))
    scan.settle()
    del scan.pods[scan.running("scan", 0)["metadata"]["name"]]
    scan.wait(10)
    scan.settle()
    assert scan.status["progress"]["scanned"] == 100
    scan.wait(10)
    scan.tell(0, counts(90))
    scan.settle()
    assert scan.status["progress"]["scanned"] == 100
    scan.wait(10)
    scan.succeed("scan", ShardOutcome(index=0, counts=counts(150)), 0)
    scan.settle()
    assert scan.status["progress"]["scanned"] == 150


def test_a_restart_loses_nothing_of_what_is_told():
    scan = ScanWorld(a_scan()).planned(2)
    scan.wait(10)
    scan.tell(0, counts(100))
    scan.settle()
    scan.restart()
    scan.wait(10)
    scan.settle()
    assert scan.status["progress"]["scanned"] == 100


def test_news_of_progress_alone_is_written_every_few_seconds():
    scan = ScanWorld(a_scan()).planned(2)
    scan.wait(10)
    scan.tell(0, counts(10))
    scan.settle()
    written = scan.status
    for second in range(1, int(WRITE_EVERY)):
        scan.wait(1)
        scan.tell(0, counts(10 + second))
        assert scan.pass_once() == 0
        assert scan.plan().requeue_after == WRITE_EVERY - second
    assert scan.status == written
    scan.wait(1)
    scan.pass_once()
    assert scan.status["progress"]["scanned"] == 14


def test_what_is_no_progress_is_none():
    assert read_progress("# metrics") is None
    assert read_progress('{"step": "shard", "index": 2}') is not None


@given(st.sets(st.integers(0, 999)))
def test_indexes_are_counted_as_a_job_writes_them(indexes):
    written, run = [], []
    for index in sorted(indexes):
        if run and index == run[-1] + 1:
            run.append(index)
        else:
            run = [index]
            written.append(run)
    text = ",".join(str(each[0]) if len(each) == 1 else f"{each[0]}-{each[-1]}" for each in written)
    assert count(text) == len(indexes)
