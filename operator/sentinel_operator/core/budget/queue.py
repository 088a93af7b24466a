"""Who may begin now: the line of those that wait, and for each of them a slot or what keeps it from one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Who may begin, in order, and what all others wait for."""

    granted: tuple[Place, ...]
    kept_for: Place | None
    """The first that has to wait and could ever begin."""
    taken: Mapping[Pool, Sequence[Claimant]]
    """Who has, or is about to get, the slots of each pool."""
    budget: ChangeBudget

    def place(self, claim: Claim, number: int) -> Place:
        """Gives the place of the claim that has this number in the queue."""
        if self.kept_for is not None and self.kept_for.claim.who == claim.who:
            return self.kept_for
        begins = next((each for each in self.granted if each.claim.who == claim.who), None)
        if begins is not None:
            return begins
        return _blocked(claim, number, self.taken, self.budget)


def line_up(holders: Iterable[Claim], waiting: Iterable[Claim], budget: ChangeBudget) -> Line:
    """Gives the places of those that wait, given in the order of their ranks. All that are granted may begin at once.

    One whose namespace is full does not keep those of other namespaces waiting. So that such overtaking starves
    nobody, the first that has to wait, and that a limit of 0 does not keep from ever beginning, is kept a slot in those
    of its pools that have one; but for the cluster's, as whatever ends in another of its pools frees one there as well.
    """
    taken: dict[Pool, list[Claimant]] = defaultdict(list)
    for claim in sorted(holders, key=lambda each: each.who):
        _take(taken, claim, limits_of(claim, budget))
    granted: list[Place] = []
    kept_for: Place | None = None
    full = set[str]()  # where nobody needs to be looked at any more: thousands may wait
    for number, claim in enumerate(waiting, start=1):
        if claim.who.namespace in full or (claim.gpu_class and f"/{claim.gpu_class}" in full):
            continue
        limits = limits_of(claim, budget)
        short = [each for each in limits if not _room(taken, each)]
        if not short:
            granted.append(Place(claim, number))
            _take(taken, claim, limits)
            continue
        possible = all(each.slots > 0 for each in limits)
        if kept_for is None and possible:
            kept_for = _blocked(claim, number, taken, budget)
            _take(taken, claim, [each for each in limits if each.pool.scope != CLUSTER and _room(taken, each)])
        if short[0].pool.scope == CLUSTER:
            break
        if kept_for is not None:
            full.update(_name(each.pool) for each in short)
    return Line(granted=tuple(granted), kept_for=kept_for, taken=taken, budget=budget)


def _name(pool: Pool) -> str:
    """A class bears a slash before it, which no namespace can."""
    return f"/{pool.name}" if pool.scope == "class" else pool.name


def _blocked(claim: Claim, number: int, taken: Mapping[Pool, Sequence[Claimant]], budget: ChangeBudget) -> Place:
    full = next(each for each in limits_of(claim, budget) if not _room(taken, each))
    return Place(claim, number, full, tuple(taken.get(full.pool, ())))


def _take(taken: dict[Pool, list[Claimant]], claim: Claim, limits: Iterable[Limit]) -> None:
    for limit in limits:
        taken[limit.pool].append(claim.who)


def _room(taken: Mapping[Pool, Sequence[Claimant]], limit: Limit) -> bool:
    return len(taken.get(limit.pool, ())) < limit.slots
