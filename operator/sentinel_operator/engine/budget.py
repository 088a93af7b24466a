"""The change budget's ledger: who holds a slot and who waits for one, in the cluster as this process knows it.

It is an index over the caches of the controllers' objects: their statuses say it all, so a new leader finds every
slot and every place as they were. Only between a grant and the status that tells of it is there more than that: a
reservation, so that no two passes take the last slot.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime

from sentinel_operator.api.sentinelconfig import ChangeBudget
from sentinel_operator.core.budget.claim import Claim, Claimant, ClaimState, claimed
from sentinel_operator.core.budget.limits import limited
from sentinel_operator.core.budget.queue import line_up
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
        self._known: dict[Claimant, tuple[ClaimState, Claim]] = {}
        """What statuses say; those that claim nothing are left out."""
        self._asking: dict[Claimant, Claim] = {}
        """Those in a pass that has asked; not all of them are known to wait yet."""
        self._reserved: dict[Claimant, Claim] = {}
        self._aside: set[Claimant] = set()
        """Those that had their turn and did not use it; until they ask again nobody waits because of them."""
        self._doubts: Counter[Claimant] = Counter()
        self._told: dict[Claimant, Budget] = {}
        self._due = False

    @property
    def holding(self) -> int:
        """Counts the rollouts that are under way."""
        return len(self._reserved) + sum(
            state == "Holds" and who not in self._reserved for who, (state, _) in self._known.items()
        )

    @property
    def waiting(self) -> int:
        """Counts those that wait for a slot."""
        return sum(state == "Waits" for state, _ in self._known.values())

    # ------------------------------------------------------------------------------------ what is seen

    def seen(self, who: Claimant, raw: Manifest | None) -> None:
        """Takes in an object as it is known from now on; None for one that is gone."""
        before = self._known.pop(who, None)
        if raw is None:
            self._forget(who)
        else:
            state, claim = claimed(raw, gpu_class_label=self._budget().gpu_class_label)
            if state != "Rests":
                self._known[who] = (state, claim)
            if state == "Holds":
                self._reserved.pop(who, None)
            if state != "Waits":
                self._told.pop(who, None)
        if before != self._known.get(who):
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
        self._aside.discard(who)
        if who in self._reserved:
            return Budget()
        state, claim = claimed(raw, gpu_class_label=self._budget().gpu_class_label)
        if state == "Holds":
            return Budget()
        if state != "Waits":
            claim = replace(claim, since=int(self._now().timestamp()))
        self._asking[who] = self._asking.get(who, claim)
        places, _ = line_up(self._holders(), self._waiting().values(), self._budget())
        place = places[who]
        self._told[who] = told = Budget(granted=place.granted, waits_for=waits_for(place))
        if place.granted:
            self._reserved[who] = claim
            del self._asking[who]
            logger.info("%s %s/%s gets a slot of the change budget", *who)
        return told

    def passed(self, who: Claimant) -> None:
        """Takes in the end of a pass: what it was granted and has not used is free again."""
        self._doubts.pop(who, None)
        asked = self._asking.pop(who, None) is not None
        unused = self._reserved.pop(who, None) is not None
        waits = self._known.get(who, ("Rests", None))[0] == "Waits"
        if unused or (waits and not asked):
            self._aside.add(who)
            self._changed()
        if not waits:
            self._told.pop(who, None)

    def failed(self, who: Claimant, *, certain: bool) -> None:
        """Takes in that a pass failed. Unless it is `certain` that the status does not tell of a beginning, what was
        granted stays so for the next attempts; then others get their turn first."""
        self._asking.pop(who, None)
        self._doubts[who] += 1
        if who in self._reserved and not certain and self._doubts[who] < _DOUBTS:
            return
        self._doubts.pop(who, None)
        held = self._reserved.pop(who, None) is not None
        if held or who in self._known:
            self._aside.add(who)
            self._changed()

    # ------------------------------------------------------------------------------------ whom that concerns

    def _forget(self, who: Claimant) -> None:
        held = self._reserved.pop(who, None) is not None
        for each in (self._asking, self._told, self._doubts):
            each.pop(who, None)
        self._aside.discard(who)
        if held:
            self._changed()

    def _holders(self) -> list[Claim]:
        held = [claim for who, (state, claim) in self._known.items() if state == "Holds" and who not in self._reserved]
        return [*held, *self._reserved.values()]

    def _waiting(self) -> dict[Claimant, Claim]:
        known = {who: claim for who, (state, claim) in self._known.items() if state == "Waits"}
        left_out = self._aside | self._reserved.keys()
        return {who: claim for who, claim in (self._asking | known).items() if who not in left_out}

    def _changed(self) -> None:
        if not self._due:
            self._due = True
            self._soon(self._tell)

    def _tell(self) -> None:
        """Wakes, in their order, those that may begin now, and the nearest of the others if they wait for something
        else than they have been told."""
        self._due = False
        _, line = line_up(self._holders(), self._waiting().values(), self._budget())
        for place in line:
            who = place.claim.who
            if not place.granted and place.number > NEAR:
                continue
            said = Budget(granted=place.granted, waits_for=waits_for(place))
            if self._told.get(who) != said:
                self._told[who] = said
                self._wake(who)
