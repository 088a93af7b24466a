"""One command at a time: locks that a killed holder gives up, and that leave no file behind."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from devcluster.paths import state_root

_held: dict[Path, int] = {}


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock at the path; waits for whoever holds it."""
    descriptor = None
    while descriptor is None:
        descriptor = _taken(path, fcntl.LOCK_EX)
    with _kept(path, descriptor):
        yield


@contextlib.contextmanager
def locked_if_free(path: Path) -> Iterator[bool]:
    """Holds the lock at the path if nobody does, and tells whether."""
    try:
        descriptor = _taken(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        descriptor = None
    if descriptor is None:
        yield False
        return
    with _kept(path, descriptor):
        yield True


def held() -> Mapping[Path, int]:
    """Gives the locks that this process holds, by descriptor; a child that is given one holds the lock as well."""
    return _held


def cluster_lock(name: str) -> Path:
    """Gives the lock of one cluster's life."""
    return state_root() / f".{name}.lock"


def machine_lock() -> Path:
    """Gives the lock of what all clusters of the machine share: network names and addresses."""
    return Path("/run/sentinel-devcluster.lock") if os.geteuid() == 0 else state_root() / ".machine.lock"


def _taken(path: Path, operation: int) -> int | None:
    """Gives the descriptor of the lock, None when its former holder has removed the file meanwhile."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, operation)
        if os.path.samestat(path.stat(), os.fstat(descriptor)):
            return descriptor
    except FileNotFoundError:
        pass
    except BlockingIOError:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


@contextlib.contextmanager
def _kept(path: Path, descriptor: int) -> Iterator[None]:
    _held[path] = descriptor
    try:
        yield
    finally:
        del _held[path]
        path.unlink(missing_ok=True)
        os.close(descriptor)
