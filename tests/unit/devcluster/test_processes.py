"""Only processes that were started are ended, and none is forgotten."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from devcluster.errors import DevclusterError
from devcluster.locks import locked
from devcluster.processes import Process, Processes, run, run_long


@pytest.fixture
def processes(tmp_path: Path):
    made = Processes(tmp_path / "records", tmp_path / "log")
    yield made
    made.stop(*made.roles())


def test_one_that_was_started_runs_until_it_is_stopped(processes: Processes):
    processes.start("sleeper", ["sleep", "1000"])

    assert processes.alive("sleeper")
    assert processes.roles() == ["sleeper"]
    assert Path(f"/proc/{processes.pid('sleeper')}/cmdline").read_text() == "sleep\x001000\x00"

    processes.stop("sleeper")

    assert not processes.alive("sleeper")
    assert processes.roles() == []


def test_its_output_is_in_the_log_of_its_role(processes: Processes):
    processes.start("speaker", ["sh", "-c", "echo out; echo err >&2; sleep 1000"])

    _wait_for(lambda: "err" in processes.log("speaker").read_text())

    assert processes.log("speaker").read_text() == "out\nerr\n"


def test_one_that_does_not_listen_to_sigterm_is_killed(processes: Processes):
    processes.start("deaf", ["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"])
    _wait_for(lambda: "ready" in processes.log("deaf").read_text())

    processes.stop("deaf", grace=0.2)

    assert not processes.alive("deaf")


def test_a_program_that_is_missing_says_so_in_the_log(processes: Processes):
    processes.start("missing", ["no-such-program"])

    with pytest.raises(
        DevclusterError, match=r"missing ended; the end of .*missing\.log:\n.*no-such-program: not found"
    ):
        _wait_for(lambda: processes.require("missing"))


def test_another_process_that_got_the_id_later_is_left_alone(processes: Processes):
    stranger = subprocess.Popen(["sleep", "1000"])
    try:
        processes.records.mkdir()
        record = {"pid": stranger.pid, "started": Process.this().started - 1}
        (processes.records / "gone.json").write_text(json.dumps(record))

        assert not processes.alive("gone")
        processes.stop("gone")

        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_process_is_known_though_whoever_started_it_is_killed_at_once(tmp_path: Path):
    starter = (
        "import os, signal, sys; from pathlib import Path; from devcluster.processes import Processes\n"
        "root = Path(sys.argv[1]); made = Processes(root / 'records', root / 'log')\n"
        "made.start('orphan', ['sleep', '1000']); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", starter, str(tmp_path)], check=False, timeout=60)

    later = Processes(tmp_path / "records", tmp_path / "log")

    assert later.alive("orphan")
    later.stop("orphan")
    assert not later.alive("orphan")


def test_its_starters_lock_is_held_until_it_is_known_and_no_longer(tmp_path: Path):
    made = Processes(tmp_path / "records", tmp_path / "log", tmp_path / "lock")
    with locked(tmp_path / "lock"):
        made.start("sleeper", ["sleep", "1000"])

    with locked(tmp_path / "lock"):
        made.stop("sleeper")


def test_stopping_what_never_ran_is_no_error(processes: Processes):
    processes.stop("nothing")


def test_a_command_that_fails_is_told_with_its_words():
    with pytest.raises(DevclusterError, match=r"sh -c .* ended with 3: what was wrong"):
        run(["sh", "-c", "echo what was wrong >&2; exit 3"])


def test_a_command_that_is_missing_is_named():
    with pytest.raises(DevclusterError, match="no-such-program is not installed"):
        run(["no-such-program"])


def test_a_long_command_that_fails_shows_its_output():
    with pytest.raises(DevclusterError, match=r"(?s)the long thing failed.*on the way"):
        run_long(["sh", "-c", "echo on the way; exit 1"], what="the long thing", say=lambda _: None)


def _wait_for(look, within: float = 10.0) -> None:
    deadline = time.monotonic() + within
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.01)
