"""Secrets and ConfigMaps that are read again when the kubelet changes them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

LOG = logging.getLogger(__name__)
CHECK_SECONDS = 3.0
Mark = tuple[tuple[str, int, int], ...]


async def reload_on_change(paths: list[Path], reload: Callable[[], None], *, every: float = CHECK_SECONDS) -> None:
    """Calls `reload` each time the files below the paths changed; what is broken is logged and tried again.

    By looking, not by inotify: a mounted Secret changes by renames of a hidden link, once a minute at most.
    """
    seen = _mark(paths)
    while True:
        await asyncio.sleep(every)
        now = _mark(paths)
        if now == seen:
            continue
        try:
            reload()
        except Exception as error:  # noqa: BLE001 - whatever it is, the next change must be seen
            LOG.error("what was mounted anew is not used: %s", error)  # noqa: TRY400
        else:
            seen = now
            LOG.info("read again: %s", ", ".join(str(path) for path in paths))


def _mark(paths: list[Path]) -> Mark:
    """Gives what changes when a mounted file does; a missing one is a change too."""
    marks = []
    for path in paths:
        try:
            for entry in sorted(path.iterdir()) if path.is_dir() else [path]:
                status = entry.stat()
                marks.append((str(entry), status.st_mtime_ns, status.st_ino))
        except OSError:
            marks.append((str(path), 0, 0))
    return tuple(marks)
