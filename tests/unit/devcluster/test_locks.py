"""A lock is one holder's at a time, is given up by a killed holder, and leaves no file."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from devcluster.locks import locked, locked_if_free

_HOLD = """
import sys; from pathlib import Path; from devcluster.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_it_leaves_no_file(tmp_path: Path):
    with locked(tmp_path / "a"):
        assert (tmp_path / "a").exists()

    assert list(tmp_path.iterdir()) == []


def test_one_that_does_not_wait_is_told_whether_it_has_it(tmp_path: Path):
    with locked_if_free(tmp_path / "a") as one, locked_if_free(tmp_path / "a") as other:
        assert (one, other) == (True, False)

    assert list(tmp_path.iterdir()) == []


def test_a_killed_holder_gives_it_up(tmp_path: Path):
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path / "a")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout
    assert holder.stdout.readline() == b"held\n"
    got = threading.Event()

    def take() -> None:
        with locked(tmp_path / "a"):
            got.set()

    waiting = threading.Thread(target=take)
    waiting.start()
    assert not got.wait(0.2)

    holder.kill()
    holder.communicate()

    assert got.wait(10)
    waiting.join()


def test_many_that_want_it_have_it_one_after_another(tmp_path: Path):
    count = 0

    def add() -> None:
        nonlocal count
        for _ in range(50):
            with locked(tmp_path / "a"):
                before = count
                threading.Event().wait(0)
                count = before + 1

    threads = [threading.Thread(target=add) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert count == 300
    assert list(tmp_path.iterdir()) == []
