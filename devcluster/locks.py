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
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if _is_at(path, descriptor):
            break
        os.close(descriptor)  # its former holder has removed it meanwhile
    _held[path] = descriptor
    try:
        yield
    finally:
        del _held[path]
        path.unlink(missing_ok=True)
        os.close(descriptor)


def held() -> Mapping[Path, int]:
    """Gives the locks that this process holds, by descriptor; a child that is given one holds the lock as well."""
    return _held


def cluster_lock(name: str) -> Path:
    """Gives the lock of one cluster's life."""
    return state_root() / f".{name}.lock"


def machine_lock() -> Path:
    """Gives the lock of what all clusters of the machine share: network names and addresses."""
    return Path("/run/sentinel-devcluster.lock") if os.geteuid() == 0 else state_root() / ".machine.lock"


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
