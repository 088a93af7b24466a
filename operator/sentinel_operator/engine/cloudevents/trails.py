"""The plans that the sink is still to be told of, as they are known now, and how far it is with each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sentinel_operator.api.actionstatus import FINISHED
from sentinel_operator.core.actionplan.history import Told, newest, told, untold
from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.cache import Key

GONE_AT_MOST = 1000
"""Plans that somebody deleted before the sink was told of all: only this process still knows of them."""


@dataclass(slots=True)
class Trail:
    """One plan."""

    raw: Manifest
    told: Told
    gone: bool = False
    marked: Told = field(default_factory=Told)
    """What this process has last written into its status."""

    @property
    def coming(self) -> Mapping[str, Any] | None:
        """Gives the transition that is to be told next."""
        return next(iter(untold(self.raw, self.told.number)), None)

    @property
    def missing(self) -> int:
        """Counts the transitions that are to be told."""
        return max(0, newest(self.raw) - self.told.number)

    @property
    def is_to_be_marked(self) -> bool:
        """The plan is over, and its status does not say yet how far the sink is."""
        return self.is_finished and not self.gone and self.told > max(told(self.raw), self.marked)

    @property
    def is_finished(self) -> bool:
        """Nothing more will come of it."""
        status = self.raw.get("status")
        return isinstance(status, dict) and status.get("state") in FINISHED


class Trails:
    """Bounded by the plans that there are: of one that is over, and says that the sink knows all of it, nothing is
    kept."""

    def __init__(self) -> None:
        self._trails: dict[str, Trail] = {}
        self._uids: dict[Key, str] = {}
        self._gone = 0

    def put(self, key: Key, raw: Manifest) -> str | None:
        """Takes in a plan as it is known from now on; gives its uid where there is something to do about it."""
        uid = raw["metadata"]["uid"]
        trail = self._trails.get(uid)
        if trail is None:
            trail = Trail(raw, told(raw))
        else:
            trail.raw, trail.told = raw, max(told(raw), trail.told)
        if trail.is_finished and newest(raw) <= told(raw).number:
            self._trails.pop(uid, None)
            self._uids.pop(key, None)
            return None
        self._trails[uid], self._uids[key] = trail, uid
        return uid if trail.missing or trail.is_to_be_marked else None

    def leave(self, key: Key, raw: Manifest | None) -> int:
        """Takes in that what had the name is gone, where `raw` is not it; gives how many of its transitions nobody will
        be told of."""
        uid = self._uids.get(key)
        if uid is None or (raw is not None and raw["metadata"]["uid"] == uid):
            return 0
        del self._uids[key]
        trail = self._trails[uid]
        if trail.missing and self._gone < GONE_AT_MOST:
            trail.gone = True
            self._gone += 1
            return 0
        del self._trails[uid]
        return trail.missing

    def get(self, uid: str) -> Trail | None:
        """Gives a plan, if there may be something to tell of it."""
        return self._trails.get(uid)

    def drop(self, uid: str) -> None:
        """Forgets a plan."""
        trail = self._trails.pop(uid, None)
        self._gone -= trail is not None and trail.gone

    def clear(self) -> None:
        """Forgets all."""
        self._trails.clear()
        self._gone = 0
        self._uids.clear()

    @property
    def uids(self) -> tuple[str, ...]:
        """Gives all that are known."""
        return tuple(self._trails)

    @property
    def pending(self) -> int:
        """Counts the transitions that are to be told."""
        return sum(each.missing for each in self._trails.values())
