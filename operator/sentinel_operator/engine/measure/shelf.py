"""What was measured and is not judged yet, and the looks that counting began with. Bounded: the oldest go first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from sentinel_operator.core.analysis.measurement import Measurement
from sentinel_operator.core.analysis.window import Snapshot


class Place(NamedTuple):
    """A metric of one revision of one object."""

    uid: str
    revision: str
    metric: str


class Shelf:
    """Keeps for each metric the newest measurement, the look that it began with, and the look that the next may begin
    with: which of the two it will be is decided by what the status says was taken in."""

    def __init__(self, capacity: int = 4096) -> None:
        self._capacity = capacity
        self._measured: OrderedDict[Place, Measurement] = OrderedDict()
        self._looks: OrderedDict[Place, dict[datetime, Snapshot]] = OrderedDict()

    def put(self, place: Place, found: Measurement, look: Snapshot | None = None, *, base: datetime | None) -> None:
        """Keeps a measurement. Without a look of its own it ends where it began, so that the next one counts on."""
        self._measured[place] = found
        self._measured.move_to_end(place)
        begun = self.look_at(place, base)
        self._looks[place] = {
            at: each for at, each in ((base, begun), (found.at, look or begun)) if at is not None and each is not None
        }
        self._looks.move_to_end(place)
        for kept in (self._measured, self._looks):
            while len(kept) > self._capacity:
                kept.popitem(last=False)

    def look_at(self, place: Place, at: datetime | None) -> Snapshot | None:
        """Gives the look that counting began with at that moment, if it is still here."""
        return None if at is None else self._looks.get(place, {}).get(at)

    def newest(self, place: Place) -> Measurement | None:
        """Gives the newest measurement of a metric."""
        return self._measured.get(place)

    def of(self, uid: str, revision: str) -> dict[str, Measurement]:
        """Gives the newest measurement of each metric of a revision."""
        return {place.metric: found for place, found in self._measured.items() if place[:2] == (uid, revision)}

    def forget(self, uid: str) -> None:
        """Drops everything of an object."""
        for place in list(self._places(uid)):
            self._measured.pop(place, None)
            self._looks.pop(place, None)

    def _places(self, uid: str) -> Iterator[Place]:
        return (place for place in {**self._measured, **self._looks} if place.uid == uid)
