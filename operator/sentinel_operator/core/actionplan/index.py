"""All plans, kept so that what they mean for one of them is known in the time of a few look-ups."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Hashable, Iterator
from datetime import datetime

from sentinel_operator.core.actionplan.neighbours import Digest, Neighbours, weigh
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.policy.rates import Ledger
from sentinel_operator.core.targets import TargetKey


class PlanIndex:
    """Follows what a watch tells. It says of every plan what `neighbours` would say that reads them all."""

    def __init__(self) -> None:
        self._known: dict[str, Digest] = {}
        self._places: dict[Hashable, set[str]] = {}
        self._in_flight: Counter[TargetKey] = Counter()
        self._ledger = Ledger()
        self._failures: list[tuple[datetime, str]] = []

    def put(self, raw: Manifest) -> None:
        """Takes in a plan as it is now."""
        self.remove(raw["metadata"]["uid"])
        digest = Digest.of(raw)
        self._known[digest.uid] = digest
        for place in _places(digest):
            self._places.setdefault(place, set()).add(digest.uid)
        if digest.acts:
            self._in_flight.update(digest.targets)
        for start in digest.starts:
            self._ledger.add(start)
        if digest.failed_at is not None:
            insort(self._failures, (digest.failed_at, digest.uid))

    def remove(self, uid: str) -> None:
        """Forgets a plan that is gone."""
        digest = self._known.pop(uid, None)
        if digest is None:
            return
        for place in _places(digest):
            self._places[place].discard(uid)
            if not self._places[place]:
                del self._places[place]
        if digest.acts:
            self._in_flight -= Counter(digest.targets)
        for start in digest.starts:
            self._ledger.remove(start)
        if digest.failed_at is not None:
            del self._failures[bisect_left(self._failures, (digest.failed_at, uid))]

    def neighbours(self, raw: Manifest) -> Neighbours:
        """Says what the other plans mean for one that was taken in."""
        me = Digest.of(raw)
        mine = self._known.get(me.uid, me)
        failures = (at for at, uid in reversed(self._failures) if uid != me.uid)
        in_flight = self._in_flight - Counter(mine.targets) if mine.acts else self._in_flight
        return weigh(
            me,
            twins=self._at(("id", me.plan_id), me.uid),
            later=self._at(("said", min(me.said, key=str)), me.uid) if me.said else (),
            in_flight=frozenset(in_flight),
            ledger=self._ledger,
            last_failure=next(failures, None),
        )

    def _at(self, place: Hashable, mine: str) -> Iterator[Digest]:
        yield from (self._known[uid] for uid in self._places.get(place, ()) if uid != mine)


def _places(digest: Digest) -> Iterator[Hashable]:
    yield ("id", digest.plan_id)
    yield from (("said", each) for each in digest.said)
