"""The change budget's ledger: who holds a slot and who waits for one, in the cluster as this process knows it.

It is an index over the caches of the controllers' objects: their statuses say it all, so a new leader finds every
slot and every place as they were. Only between a grant and the status that tells of it is there more than that: a
reservation, so that no two passes take the last slot.
"""

from __future__ import annotations

import logging
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from sentinel_operator.api.sentinelconfig import ChangeBudget
from sentinel_operator.core.budget.claim import Claim, Claimant, claimed
from sentinel_operator.core.budget.limits import limited
from sentinel_operator.core.budget.queue import Line, line_up
from sentinel_operator.core.budget.words import NEAR, waits_for
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.rollout.observed import Budget

logger = logging.getLogger(__name__)

NOT_ASKED = Budget(granted=False)
_DOUBTS = 3


class Ledger:
    """Grants slots and wakes those that wait. All of it returns at once and belongs to one event loop.

    `wake` queues an object for a pass; `soon` calls back once what happens now is over, as an event loop does.
    """

    def __init__(
        self,
        *,
        budget: Callable[[], ChangeBudget],
        wake: Callable[[Claimant], None],
        soon: Callable[[Callable[[], None]], object],
        now: Callable[[], datetime],
    ) -> None:
        self._budget, self._wake, self._soon, self._now = budget, wake, soon, now
        self._holds: dict[Claimant, Claim] = {}
        self._waits: dict[Claimant, Claim] = {}
        """Both are what statuses say."""
        self._asking: dict[Claimant, Claim] = {}
        """Those in a pass that has asked; not all of them are known to wait yet."""
        self._reserved: dict[Claimant, Claim] = {}
        self._aside: set[Claimant] = set()
        """Those that had their turn and did not use it; until they ask again nobody waits because of them."""
        self._queued: dict[Claimant, Claim] = {}
        self._line: list[Claim] = []
        """Those that wait and are not set aside, by rank."""
        self._doubts: Counter[Claimant] = Counter()
        self._told: dict[Claimant, Budget] = {}
        self._due = False

    @property
    def holding(self) -> int:
        """Counts the rollouts that are under way."""
        return len(self._holds.keys() | self._reserved.keys())

    @property
    def waiting(self) -> int:
        """Counts those that wait for a slot."""
        return len(self._waits)

    # ------------------------------------------------------------------------------------ what is seen

    def seen(self, who: Claimant, raw: Manifest | None) -> None:
        """Takes in an object as it is known from now on; None for one that is gone."""
        before = self._holds.pop(who, None), self._waits.pop(who, None)
        if raw is None:
            self._forget(who)
        else:
            state, claim = claimed(raw, gpu_class_label=self._budget().gpu_class_label)
            if state == "Holds":
                self._holds[who] = claim
                self._reserved.pop(who, None)
            if state == "Waits":
                self._waits[who] = claim
            else:
                self._told.pop(who, None)
        self._place(who)
        if before != (self._holds.get(who), self._waits.get(who)):
            self._changed()

    def limits_changed(self, objects: Iterable[tuple[Claimant, Manifest]]) -> None:
        """Reads every object again, as classes of GPUs may be told apart by another label, and wakes whom that lets
        begin, or whom something else keeps from it now."""
        for who, raw in objects:
            self.seen(who, raw)
        self._changed()

    # ------------------------------------------------------------------------------------ what passes ask

    def unasked(self) -> Budget:
        """Gives what a pass is told that has not asked yet: to wait, unless there is no limit at all."""
        return NOT_ASKED if limited(self._budget()) else Budget()

    def ask(self, raw: Manifest) -> Budget:
        """Answers a pass that wants to begin. What is granted is reserved until `passed` or `failed`, or until the
        object's status tells that it has begun."""
        who = Claimant.of(raw)
        if who in self._reserved or who in self._holds:
            return Budget()
        self._aside.discard(who)
        self._asking[who] = self._asking.get(who) or self._waits.get(who) or self._newcomer(raw)
        self._place(who)
        claim = self._queued[who]
        place = self._lined_up().place(claim, 1 + bisect_left(self._line, claim.rank, key=_rank))
        self._told[who] = told = Budget(granted=place.granted, waits_for=waits_for(place))
        if place.granted:
            self._reserved[who] = claim
            del self._asking[who]
            self._place(who)
            logger.info("%s %s/%s gets a slot of the change budget", *who)
        return told

    def passed(self, who: Claimant) -> None:
        """Takes in the end of a pass: what it was granted and has not used is free again."""
        self._doubts.pop(who, None)
        asked = self._asking.pop(who, None) is not None
        unused = self._reserved.pop(who, None) is not None
        if who not in self._waits:
            self._told.pop(who, None)
        if unused or (who in self._waits and not asked):
            self._set_aside(who)
        self._place(who)

    def failed(self, who: Claimant, *, certain: bool) -> None:
        """Takes in that a pass failed. Unless it is `certain` that the status does not tell of a beginning, what was
        granted stays so for the next attempts; then others get their turn first."""
        self._asking.pop(who, None)
        self._doubts[who] += 1
        if who not in self._reserved or certain or self._doubts[who] >= _DOUBTS:
            self._doubts.pop(who, None)
            if self._reserved.pop(who, None) is not None or who in self._waits:
                self._set_aside(who)
        self._place(who)

    # ------------------------------------------------------------------------------------ whom that concerns

    def _newcomer(self, raw: Manifest) -> Claim:
        _, claim = claimed(raw, gpu_class_label=self._budget().gpu_class_label)
        return replace(claim, since=int(self._now().timestamp()))

    def _set_aside(self, who: Claimant) -> None:
        self._aside.add(who)
        self._changed()

    def _forget(self, who: Claimant) -> None:
        if self._reserved.pop(who, None) is not None:
            self._changed()
        for each in (self._asking, self._told, self._doubts):
            each.pop(who, None)
        self._aside.discard(who)

    def _place(self, who: Claimant) -> None:
        """Puts one into the line, at another place, or takes it out, as what is known of it has changed."""
        left_out = who in self._aside or who in self._reserved
        claim = None if left_out else self._waits.get(who) or self._asking.get(who)
        before = self._queued.pop(who, None)
        if before is not None:
            del self._line[bisect_left(self._line, before.rank, key=_rank)]
        if claim is not None:
            self._queued[who] = claim
            insort(self._line, claim, key=_rank)

    def _lined_up(self) -> Line:
        held = {**self._holds, **self._reserved}
        return line_up(held.values(), self._line, self._budget())

    def _changed(self) -> None:
        if not self._due:
            self._due = True
            self._soon(self._tell)

    def _tell(self) -> None:
        """Wakes, in their order, those that may begin now, and the nearest of the others if they wait for something
        else than they have been told."""
        self._due = False
        line = self._lined_up()
        near = [line.place(claim, number) for number, claim in enumerate(self._line[:NEAR], start=1)]
        for place in (*near, *(each for each in line.granted if each.number > NEAR)):
            said = Budget(granted=place.granted, waits_for=waits_for(place))
            if self._told.get(place.claim.who) != said:
                self._told[place.claim.who] = said
                self._wake(place.claim.who)


def _rank(claim: Claim) -> tuple[int, int, Claimant]:
    return claim.rank
