"""Counters that never go back: not when a GPU vanishes and returns, not when the driver or the agent starts anew.

A hardware counter begins at zero again after a reset; here its steps are added up. Everything is written to a file
before it is told, so that nobody has been told more than what a restart finds there.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sentinel_agent.gpu.reading import Identity

logger = logging.getLogger(__name__)

_VERSION = 1
Labels = tuple[str, ...]
Key = tuple[str, Labels]


@dataclass(frozen=True, slots=True, kw_only=True)
class Befallen:
    """What is remembered of a GPU's Xid errors."""

    code: int
    at: float
    """Unix time."""
    pods: tuple[str, ...] = ()
    count: int = 0
    fatal_code: int = 0
    fatal_at: float = 0.0
    """Of the newest fatal one; 0 where there was none, or where the GPU has been reset since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A GPU that was seen, and when last (Unix time)."""

    identity: Identity
    at: float


@dataclass(slots=True)
class _Counter:
    total: float = 0.0
    raw: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The ledger at one moment."""

    counters: Mapping[Key, float] = field(default_factory=dict)
    xids: Mapping[str, Befallen] = field(default_factory=dict)


class Ledger:
    """Adds up. Any thread may call it."""

    def __init__(self, path: Path | None, *, boot_id: str, now: Callable[[], float]) -> None:
        self._path, self._boot_id, self._now = path, boot_id, now
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._counters: dict[Key, _Counter] = {}
        self._xids: dict[str, Befallen] = {}
        self._seen: dict[str, Seen] = {}
        self._changed = False
        self.failures = 0
        """Writes that failed."""
        self._load()

    def observe(self, name: str, labels: Labels, raw: float) -> None:
        """Takes what a hardware counter stands at."""
        with self._lock:
            counter = self._counters.setdefault((name, labels), _Counter())
            # Less than before: it began anew, and what it stands at came since.
            counter.total += raw - counter.raw if counter.raw is not None and raw >= counter.raw else raw
            counter.raw = raw
            self._changed = True

    def add(self, name: str, labels: Labels, amount: float) -> None:
        """Adds to a counter of our own."""
        with self._lock:
            self._counters.setdefault((name, labels), _Counter()).total += amount
            self._changed = True

    def befall(self, uuid: str, *, code: int, fatal: bool, pods: tuple[str, ...], counted: Iterable[Key]) -> None:
        """Counts an Xid, and has it on disk before anybody is told."""
        at = self._now()
        with self._lock:
            before = self._xids.get(uuid)
            self._xids[uuid] = Befallen(
                code=code,
                at=at,
                pods=pods,
                count=(before.count if before else 0) + 1,
                fatal_code=code if fatal else (before.fatal_code if before else 0),
                fatal_at=at if fatal else (before.fatal_at if before else 0.0),
            )
            for key in counted:
                self._counters.setdefault(key, _Counter()).total += 1
            self._changed = True
        self.save(durably=True)

    def was_reset(self, uuid: str) -> None:
        """Notes that a GPU vanished and returned: what was fatal before is over."""
        with self._lock:
            befallen = self._xids.get(uuid)
            if befallen is not None and befallen.fatal_at:
                self._xids[uuid] = Befallen(
                    code=befallen.code, at=befallen.at, pods=befallen.pods, count=befallen.count
                )
                self._changed = True

    def see(self, identity: Identity) -> None:
        """Notes that a GPU is there."""
        with self._lock:
            self._seen[identity.uuid] = Seen(identity=identity, at=self._now())
            self._changed = True

    def seen(self, *, within: float) -> dict[str, Identity]:
        """Gives the GPUs that were there within the last seconds."""
        with self._lock:
            oldest = self._now() - within
            return {uuid: seen.identity for uuid, seen in self._seen.items() if seen.at >= oldest}

    def prune(self, keep: Callable[[str, Labels], bool]) -> None:
        """Drops the counters of what is gone for good: pods that have ended."""
        with self._lock:
            self._counters = {key: counter for key, counter in self._counters.items() if keep(*key)}

    def totals(self, *, saved: bool) -> Totals:
        """Gives everything as it is now; with `saved` after it was written."""
        if saved:
            self.save()
        with self._lock:
            return Totals(
                counters={key: counter.total for key, counter in self._counters.items()}, xids=dict(self._xids)
            )

    def save(self, *, durably: bool = False) -> None:
        """Writes the file where something has changed."""
        if self._path is None:
            return
        with self._writing:
            with self._lock:
                if not self._changed:
                    return
                text, self._changed = json.dumps(self._document()), False
            try:
                _replace(self._path, text, durably=durably)
            except OSError as error:
                self.failures += 1
                self._changed = True
                if self.failures == 1:
                    logger.error("state is not kept: %s: %s", self._path, error)  # noqa: TRY400 - what, not where

    def _document(self) -> dict[str, Any]:
        return {
            "version": _VERSION,
            "boot": self._boot_id,
            "counters": [[*key, counter.total, counter.raw] for key, counter in self._counters.items()],
            "xids": {uuid: asdict(befallen) for uuid, befallen in self._xids.items()},
            "seen": [{**asdict(seen.identity), "at": seen.at} for seen in self._seen.values()],
        }

    def _load(self) -> None:
        if self._path is None:
            return
        try:
            self._take(json.loads(self._path.read_text()))
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError) as error:
            logger.error("state is begun anew: %s: %s", self._path, error)  # noqa: TRY400 - what, not where
            self._counters, self._xids, self._seen = {}, {}, {}
            _set_aside(self._path)

    def _take(self, document: dict[str, Any]) -> None:
        if document["version"] != _VERSION:
            raise ValueError(f"version {document['version']} is not {_VERSION}")
        for name, labels, total, raw in document["counters"]:
            self._counters[name, tuple(labels)] = _Counter(float(total), raw)
        rebooted = document["boot"] != self._boot_id
        for uuid, befallen in document["xids"].items():
            fields = {**befallen, "pods": tuple(befallen["pods"])}
            self._xids[uuid] = Befallen(**({**fields, "fatal_at": 0.0, "fatal_code": 0} if rebooted else fields))
        for each in document["seen"]:
            at = each.pop("at")
            self._seen[each["uuid"]] = Seen(identity=Identity(**each), at=at)


def _replace(path: Path, text: str, *, durably: bool) -> None:
    partial = path.with_suffix(".new")
    with partial.open("w") as out:
        out.write(text)
        if durably:
            out.flush()
            os.fsync(out.fileno())
    partial.replace(path)


def _set_aside(path: Path) -> None:
    try:
        path.replace(path.with_suffix(".broken"))
    except OSError:
        logger.exception("%s could not be set aside", path)
