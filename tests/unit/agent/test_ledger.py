"""Counters never go back, and what was told is on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel_agent.gpu.reading import Identity
from sentinel_agent.ledger import Ledger

GPU = Identity(uuid="GPU-0", index=0, name="NVIDIA L4", minor=0)
KEY = ("energy", ("GPU-0",))
XID = ("xid", ("GPU-0", "79", "Fatal", "", ""))


def opened(path: Path | None, *, boot: str = "first", at: float = 1000.0) -> Ledger:
    return Ledger(path, boot_id=boot, now=lambda: at)


@given(st.lists(st.integers(0, 10**6), min_size=1))
def test_whatever_a_hardware_counter_does_the_total_never_goes_back(raws: list[int]):
    ledger, last = opened(None), 0.0
    for raw in raws:
        ledger.observe(*KEY, raw)
        total = ledger.totals(saved=False).counters[KEY]
        assert total >= max(last, raw)
        last = total


def test_a_counter_that_began_anew_goes_on_from_where_it_was():
    ledger = opened(None)
    for raw in (100, 150, 30, 40):
        ledger.observe(*KEY, raw)
    assert ledger.totals(saved=False).counters[KEY] == 150 + 40


def test_what_was_told_is_found_again(tmp_path: Path):
    path = tmp_path / "state.json"
    ledger = opened(path)
    ledger.observe(*KEY, 100)
    ledger.add("busy_seconds", ("GPU-0",), 2.5)
    ledger.see(GPU)
    told = ledger.totals(saved=True)
    again = opened(path)
    assert again.totals(saved=False).counters == told.counters
    assert again.seen(within=60) == {"GPU-0": GPU}
    again.observe(*KEY, 20)
    assert again.totals(saved=False).counters[KEY] == 120


def test_an_xid_is_on_disk_when_it_was_counted(tmp_path: Path):
    path = tmp_path / "state.json"
    opened(path).befall("GPU-0", code=79, fatal=True, pods=("a/b",), counted=[XID])
    found = opened(path).totals(saved=False)
    assert found.counters[XID] == 1
    assert (found.xids["GPU-0"].count, found.xids["GPU-0"].pods, found.xids["GPU-0"].fatal_at) == (1, ("a/b",), 1000.0)


def test_a_reset_or_a_reboot_ends_what_is_fatal_and_forgets_nothing(tmp_path: Path):
    path = tmp_path / "state.json"
    ledger = opened(path)
    ledger.befall("GPU-0", code=79, fatal=True, pods=(), counted=[XID])
    ledger.befall("GPU-0", code=13, fatal=False, pods=(), counted=[])
    assert ledger.totals(saved=True).xids["GPU-0"].fatal_code == 79, "an application's fault does not heal a GPU"
    rebooted = opened(path, boot="second").totals(saved=False).xids["GPU-0"]
    ledger.was_reset("GPU-0")
    for xid in (rebooted, ledger.totals(saved=False).xids["GPU-0"]):
        assert (xid.code, xid.count, xid.fatal_at) == (13, 2, 0.0)


def test_who_was_not_seen_for_long_is_forgotten(tmp_path: Path):
    path = tmp_path / "state.json"
    ledger = opened(path)
    ledger.see(GPU)
    ledger.save()
    assert opened(path, at=1000 + 59).seen(within=60)
    assert not opened(path, at=1000 + 61).seen(within=60)


@pytest.mark.parametrize("text", ["", "{", '{"version": 9}', '{"version": 1, "counters": [["a"]]}', "[]"])
def test_a_file_that_makes_no_sense_is_set_aside(tmp_path: Path, text: str):
    path = tmp_path / "state.json"
    path.write_text(text)
    assert opened(path).totals(saved=False).counters == {}
    assert (tmp_path / "state.broken").read_text() == text


def test_a_disk_that_takes_nothing_costs_the_memory_and_no_more(tmp_path: Path):
    ledger = opened(tmp_path / "missing" / "state.json")
    ledger.add("errors", ("a", "b"), 1)
    assert ledger.totals(saved=True).counters == {("errors", ("a", "b")): 1}
    assert ledger.failures == 1


def test_pods_that_have_ended_are_dropped():
    ledger = opened(None)
    for pod in ("one", "two"):
        ledger.add("pod_busy_seconds", ("GPU-0", "a", pod, "c"), 1)
    ledger.prune(lambda name, labels: name != "pod_busy_seconds" or labels[2] == "two")
    assert list(ledger.totals(saved=False).counters) == [("pod_busy_seconds", ("GPU-0", "a", "two", "c"))]
