"""Who may begin now: the line of those that wait, and for each of them a slot or what keeps it from one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sentinel_operator.api.sentinelconfig import ChangeBudget
from sentinel_operator.core.budget.claim import Claim, Claimant
from sentinel_operator.core.budget.limits import CLUSTER, Limit, Pool, limits_of


@dataclass(frozen=True, slots=True)
class Place:
    """Where one that waits stands. Without `full` there is a slot for it in every pool that concerns it."""

    claim: Claim
    number: int
    """1 is the first in the line."""
    full: Limit | None = None
    """The widest limit that keeps it from beginning."""
    taken_by: tuple[Claimant, ...] = ()
    """Who has the slots of that limit, or is about to."""

    @property
    def granted(self) -> bool:
        """Tells whether it may begin."""
        return self.full is None


@dataclass(frozen=True, slots=True)
class Line:
    """The places of the first, as far as anybody may be among them that can begin, and what all others wait for."""

    places: tuple[Place, ...]
    full: Limit | None = None
    taken_by: tuple[Claimant, ...] = ()

    def place(self, claim: Claim, index: int) -> Place:
        """Gives the place of the claim that has so many before it."""
        if index < len(self.places):
            return self.places[index]
        return Place(claim, index + 1, self.full, self.taken_by)


def line_up(holders: Iterable[Claim], waiting: Iterable[Claim], budget: ChangeBudget) -> Line:
    """Gives the places of those that wait, given in the order of their ranks. All that are granted may begin at once.

    One whose namespace is full does not keep those of other namespaces waiting. So that such overtaking starves
    nobody, the first that has to wait, and that a limit of 0 does not keep from ever beginning, is kept a slot in those
    of its pools that have one; but for the cluster's, as whatever ends in another of its pools frees one there as well.
    """
    taken: dict[Pool, list[Claimant]] = defaultdict(list)
    for claim in sorted(holders, key=lambda each: each.who):
        _take(taken, claim, limits_of(claim, budget))
    places: list[Place] = []
    kept = False
    for number, claim in enumerate(waiting, start=1):
        limits = limits_of(claim, budget)
        full = next((each for each in limits if not _room(taken, each)), None)
        if full is not None and full.pool.scope == CLUSTER:  # so it is for all that come after
            return Line(tuple(places), full, tuple(taken[full.pool]))
        if full is None:
            places.append(Place(claim, number))
            _take(taken, claim, limits)
            continue
        places.append(Place(claim, number, full, tuple(taken[full.pool])))
        if not kept and all(each.slots > 0 for each in limits):
            kept = True
            _take(taken, claim, [each for each in limits if each.pool.scope != CLUSTER and _room(taken, each)])
    return Line(tuple(places))


def _take(taken: dict[Pool, list[Claimant]], claim: Claim, limits: Iterable[Limit]) -> None:
    for limit in limits:
        taken[limit.pool].append(claim.who)


def _room(taken: Mapping[Pool, list[Claimant]], limit: Limit) -> bool:
    return len(taken[limit.pool]) < limit.slots
