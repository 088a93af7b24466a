"""The one setting of the machine's kernel that nodes need changed; it is as before once the last cluster is gone."""

from __future__ import annotations

from pathlib import Path

_INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
_BEFORE = Path("/run/sentinel-devcluster.inotify")
_INSTANCES = 1024


def prepare() -> None:
    """Raises the number of inotify instances: Linux gives 128, and a node's programs use some 30."""
    before = int(_INOTIFY.read_text())
    if before < _INSTANCES:
        _BEFORE.write_text(str(before))
        _INOTIFY.write_text(str(_INSTANCES))


def restore() -> None:
    """Sets what it was before the first cluster."""
    if _BEFORE.exists():
        _INOTIFY.write_text(_BEFORE.read_text())
        _BEFORE.unlink()
