"""Settings, the text of the metrics, threads that hang, generated code."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sentinel_agent.config import SettingsError, load
from sentinel_agent.expose.text import counter, gauge, render
from sentinel_agent.gpu.nvml import Suspects
from sentinel_agent.workers import Beat, Worker


def test_the_environment_is_over_the_file_and_the_file_over_defaults(tmp_path: Path):
    path = tmp_path / "config.yaml"
    path.write_text("interval: 2\nheartbeat: 60\ndisks: [/a]\n")
    settings = load(path, {"SENTINEL_INTERVAL": "0.5", "SENTINEL_NODE": "n", "SENTINEL_STATE": "", "HOME": "/"})
    assert (settings.interval, settings.heartbeat, settings.node, settings.port) == (0.5, 60, "n", 9400)
    assert (settings.state, settings.disks) == (None, (Path("/a"),))
    assert load(None, {"SENTINEL_DISKS": "/a,/b"}).disks == (Path("/a"), Path("/b"))


@pytest.mark.parametrize(
    ("text", "environment", "named"),
    [
        ("intervall: 1", {}, "intervall"),
        ("interval: 0", {}, "interval"),
        ("- a", {}, "must be a mapping"),
        ("a: [", {}, "config.yaml"),
        ("", {"SENTINEL_PORT": "http"}, "port"),
        ("", {"SENTINEL_TAINT": "Often"}, "taint"),
    ],
)
def test_a_setting_that_is_wrong_is_named(tmp_path: Path, text: str, environment: dict[str, str], named: str):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=named):
        load(path, environment)


def test_the_process_ends_with_what_is_wrong():
    command = [sys.executable, "-m", "sentinel_agent", "--config", "/nowhere.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "/nowhere.yaml" in done.stderr


def test_prometheus_reads_the_text():
    temperature, work = gauge("a_celsius", 'with "quotes" and\nlines'), counter("b_total", "work")
    temperature.add(36.6, name='x"y\\z\n', empty="")
    temperature.add(None, name="unknown")
    work.add(2**40)
    found = list(text_string_to_metric_families(render([temperature, work, gauge("none", "no samples")]).decode()))
    samples = [(sample.name, sample.labels, sample.value) for family in found for sample in family.samples]
    assert samples == [("a_celsius", {"name": 'x"y\\z\n', "empty": ""}, 36.6), ("b_total", {}, 2.0**40)]


def until(worker: Worker, look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not look():
        assert time.monotonic() < deadline
        worker.check()
        time.sleep(0.01)


def test_a_thread_that_hangs_is_given_up_and_another_goes_on():
    release, hung, rounds = threading.Event(), [], []

    def work(beat: Beat) -> None:
        if not hung:
            with beat.doing("call", "GPU-0"):
                release.wait(60)
        while beat.pause(0.01):
            rounds.append(1)

    worker = Worker("test", work, hang_after=0.05, hung=lambda *what: hung.append(what))
    worker.start()
    until(worker, lambda: bool(rounds))
    assert hung == [("call", "GPU-0")]
    assert worker.standing.given_up == 1
    assert worker.standing.hanging == "call"
    release.set()
    until(worker, lambda: worker.standing.given_up == 0 and not worker.standing.hanging)
    worker.dismiss()
    assert worker.join(30)


def test_a_thread_that_fails_is_begun_anew():
    begun = []

    def work(beat: Beat) -> None:
        begun.append(1)
        if len(begun) == 1:
            raise RuntimeError("for once")
        beat.pause(60)

    worker = Worker("test", work, hang_after=60)
    worker.start()
    until(worker, lambda: len(begun) == 2 and worker.standing.alive)
    assert worker.standing.restarts == 1
    worker.dismiss()
    assert worker.join(30)


def test_what_hangs_twice_is_at_fault_as_a_whole():
    suspects = Suspects()
    suspects.add("GPU-0", "power")
    assert suspects.function("GPU-0", "power")
    assert not suspects.function("GPU-1", "power")
    suspects.add("GPU-1", "power")
    assert suspects.function("GPU-2", "power"), "a function that hangs on two devices"
    assert not suspects.device("GPU-0")
    suspects.discard("GPU-1", "power")
    suspects.add("GPU-0", "name")
    assert suspects.device("GPU-0"), "a device that hangs in two functions"
    assert suspects.named == "name"
