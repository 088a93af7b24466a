"""Copies by digest on a volume that outlives the pod, for the day on which storage cannot be reached.

    <cache>/sha256-<hex>/artifact/         the copy of a directory, read-only, its signature in it
    <cache>/sha256-<hex>/file, file.sig    the copy of a single file; its name is not covered by the digest
    <cache>/.lock                          held by who adds or evicts
    <cache>/.incoming-<entry>              being added; without a holder of the lock, a leftover

Whoever can write to the volume can change an entry: nothing is used from here before it is verified again.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sentinel_operator.api.serving import ARTIFACT
from sentinel_workloads.fetch.handover import protect, remove
from sentinel_workloads.fetch.local import LocalSource
from sentinel_workloads.fetch.verify import Copy

log = logging.getLogger(__name__)
FILE, FILE_SIGNATURE = "file", "file.sig"
LOCK_SECONDS = 30.0
LOCK_POLL_SECONDS = 0.2


class Cache:
    """Least recently used entries go first when the next would not fit."""

    def __init__(self, root: Path, *, max_bytes: int = 0) -> None:
        """`max_bytes` 0 means without limit."""
        self._root, self._max_bytes = root, max_bytes

    def source(self, digest: str, *, name: str) -> LocalSource | None:
        """The digest's entry as a source like any other, marked as used now, if there is one.

        `name` is what a single file is to be called.
        """
        entry = self._root / _name(digest)
        if not entry.is_dir():
            return None
        with suppress(OSError):  # a read-only volume can be read, but not marked
            os.utime(entry)
        return LocalSource(entry / FILE, name=name) if (entry / FILE).exists() else LocalSource(entry / ARTIFACT)

    def drop(self, digest: str) -> None:
        """Deletes an entry that is not what its name says."""
        try:
            remove(self._root / _name(digest))
        except OSError as error:
            log.warning("the cache's entry cannot be deleted", extra={"digest": digest, "fault": str(error)})

    def keep(self, copy: Copy, digest: str) -> None:
        """Adds a verified copy. That it cannot is no reason not to serve: it is logged."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            with self._locked():
                self._drop_leftovers()
                entry = self._root / _name(digest)
                if not entry.is_dir():
                    self._add(copy, entry)
                    return
                if copy.single:
                    self._renew_signature(copy, entry)
                os.utime(entry)
        except OSError as error:
            log.warning("the artifact is not cached", extra={"digest": digest, "fault": str(error)})

    def _add(self, copy: Copy, entry: Path) -> None:
        size = _size(copy.folder)
        if self._max_bytes and size > self._max_bytes:
            log.warning("the artifact is larger than the cache", extra={"bytes": size, "limit": self._max_bytes})
            return
        self._evict(size)
        incoming = self._root / f".incoming-{entry.name}"
        try:
            incoming.mkdir()
            if copy.single:
                shutil.copy(copy.path, incoming / FILE)
                self._renew_signature(copy, incoming)
            else:
                shutil.copytree(copy.folder, incoming / ARTIFACT)
                protect(incoming / ARTIFACT)
            incoming.rename(entry)
        finally:
            remove(incoming)
        log.info("cached", extra={"entry": entry.name, "bytes": size})

    def _renew_signature(self, copy: Copy, entry: Path) -> None:
        """The same bytes may have been signed anew."""
        if copy.signature.exists():
            part = entry / f"{FILE_SIGNATURE}.part"
            shutil.copyfile(copy.signature, part)
            part.rename(entry / FILE_SIGNATURE)

    def _evict(self, wanted: int) -> None:
        entries = sorted(self._root.glob("sha256-*"), key=lambda entry: entry.stat().st_mtime_ns)
        sizes = {entry: _size(entry) for entry in entries}
        held = sum(sizes.values())
        for entry in entries:
            if not self._max_bytes or held + wanted <= self._max_bytes:
                return
            remove(entry)
            held -= sizes[entry]
            log.info("evicted", extra={"entry": entry.name, "bytes": sizes[entry]})

    def _drop_leftovers(self) -> None:
        for leftover in self._root.glob(".incoming-*"):
            remove(leftover)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer at a time, on this node and, where the volume knows locks, on every other."""
        with (self._root / ".lock").open("w") as lock:
            deadline = time.monotonic() + LOCK_SECONDS
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(LOCK_POLL_SECONDS)
            yield


def _name(digest: str) -> str:
    return digest.replace(":", "-")


def _size(folder: Path) -> int:
    return sum((Path(parent) / name).lstat().st_size for parent, _, names in os.walk(folder) for name in names)
