"""One cluster for many processes: whoever comes first brings it up, whoever goes last removes it.

Users are written down with their start time: one that was killed no longer counts, and what it left is removed: by a
process that waits for its end, and, were that killed too, by the next that comes, whatever cluster that one asks for.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from devcluster import providers
from devcluster.locks import locked, locked_if_free
from devcluster.paths import REPOSITORY, state_root
from devcluster.processes import Process
from devcluster.providers import AnyCluster

ClusterT = TypeVar("ClusterT", bound=AnyCluster)
_SUFFIX = ".users"


@contextlib.contextmanager
def shared(name: str, bring_up: Callable[[], ClusterT]) -> Iterator[ClusterT]:
    """Gives what `bring_up` gives; of all that asked for the name, the last to leave removes it."""
    sweep()
    _survivor(state_root())
    users, this = _users_of(name), Process.this()
    with locked(_lock_of(users)):
        _write(users, [*_living(users), this])
        try:
            cluster = bring_up()
        except BaseException:
            _leave(users, this)
            raise
    try:
        yield cluster
    finally:
        with locked(_lock_of(users)):
            # Gone before its last user is forgotten: killed in between, the next sweep finds what is left.
            if _living(users) == [this]:
                cluster.down()
            _leave(users, this)


def sweep() -> None:
    """Removes the clusters whose users were all killed."""
    for users in state_root().glob(f".*{_SUFFIX}"):
        # Who holds the lock is alive, and may be long about it.
        with locked_if_free(_lock_of(users)) as free:
            if free and users.exists() and not _living(users):
                providers.remove(users.name.removeprefix(".").removesuffix(_SUFFIX))
                users.unlink()


@functools.cache
def _survivor(root: Path) -> subprocess.Popen[bytes]:  # noqa: ARG001 - one for each
    """Starts who sweeps when this process is gone, however it ends: only then is its input at an end."""
    command = [sys.executable, "-m", "devcluster", "sweep", "--after", str(os.getpid())]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, cwd=REPOSITORY, start_new_session=True
    )


def _users_of(name: str) -> Path:
    return state_root() / f".{name}{_SUFFIX}"


def _lock_of(users: Path) -> Path:
    return users.with_suffix(f"{_SUFFIX}-lock")


def _living(users: Path) -> list[Process]:
    recorded = json.loads(users.read_text()) if users.exists() else []
    return [user for user in (Process(**each) for each in recorded) if user.alive()]


def _leave(users: Path, this: Process) -> None:
    staying = _living(users)
    if this in staying:
        staying.remove(this)
    _write(users, staying)


def _write(users: Path, living: list[Process]) -> None:
    if not living:
        users.unlink(missing_ok=True)
        return
    partial = users.with_suffix(".users-new")
    partial.write_text(json.dumps([asdict(user) for user in living]))
    partial.rename(users)
