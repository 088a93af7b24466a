"""A cgroup a node, in version 1 and in version 2, so that two kubelets do not delete each other's pods."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from devcluster.errors import DevclusterError

_MOUNT = Path("/sys/fs/cgroup")
_VERSION_1 = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "systemd", "unified")
_NEEDED = ("cpu", "cpuset", "memory", "pids", "hugetlb", "io")
_EMPTY = 10.0


def make(name: str) -> None:
    """Makes the group in every hierarchy, with every controller that a kubelet asks for."""
    if _is_version_2():
        _pass_on_controllers()
    for hierarchy in _hierarchies():
        folder = hierarchy / name
        folder.mkdir(exist_ok=True)
        if hierarchy.name == "cpuset":  # a new group has none, and nothing can be started in it
            for file in ("cpuset.cpus", "cpuset.mems"):
                if not (folder / file).read_text().strip():
                    (folder / file).write_text((hierarchy / file).read_text())


def remove(name: str) -> None:
    """Removes the group and all below it, whose processes have been killed; raises DevclusterError when one lives."""
    deadline = time.monotonic() + _EMPTY
    while remaining := [hierarchy / name for hierarchy in _hierarchies() if (hierarchy / name).exists()]:
        for root in remaining:
            for folder in [*sorted((path for path in root.rglob("*") if path.is_dir()), reverse=True), root]:
                with contextlib.suppress(OSError):  # busy until its last process is reaped
                    folder.rmdir()
        if time.monotonic() > deadline:
            raise DevclusterError(f"the cgroup {remaining[0]} still has processes")
        time.sleep(0.02)


def _is_version_2() -> bool:
    return (_MOUNT / "cgroup.controllers").exists()


def _hierarchies() -> Iterator[Path]:
    """Gives every hierarchy: one in version 2, one a controller in version 1."""
    if _is_version_2():
        yield _MOUNT
        return
    yield from (_MOUNT / name for name in _VERSION_1 if (_MOUNT / name).is_dir())


def _pass_on_controllers() -> None:
    there = (_MOUNT / "cgroup.controllers").read_text().split()
    for controller in (controller for controller in _NEEDED if controller in there):
        try:
            (_MOUNT / "cgroup.subtree_control").write_text(f"+{controller}")
        except OSError as error:
            raise DevclusterError(
                f"the cgroup controller {controller} cannot be passed on to nodes ({error.strerror}): "
                f"{_MOUNT} must be writable, and inside a container no process may be in its root"
            ) from error
