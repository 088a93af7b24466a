"""How many pods each revision should have, so that a new one takes over and nothing is lost on the way.

Level-triggered: the targets follow from what is observed and from nothing remembered, so a pass that is repeated,
skipped or late only delays. With N wanted, S surge and U unavailable:

- stable keeps N - U pods, less those that are ready elsewhere: a revision whose pods do not become ready takes nothing
  from it, and one whose pods stop being ready gives back what it took;
- other old revisions lose what is not ready at once, and what is ready as far as N - U ready pods remain;
- the new revision gets what is left below N + S.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sentinel_operator.core.intstr import resolve


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The pods of one revision: how many its Deployment asks for, and how many of those are ready."""

    revision: str
    replicas: int = 0
    ready: int = 0

    @property
    def sure(self) -> int:
        """Counts the ready pods that stay if the Deployment stays as it is: one on its way out does not count."""
        return min(self.ready, self.replicas)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far the number of pods may leave the wanted one on the way."""

    surge: int
    unavailable: int


def bounds(max_surge: int | str, max_unavailable: int | str, *, wanted: int) -> Bounds:
    """Turns shares into pods: surge rounded up, unavailability down; at least one pod can always be replaced."""
    unavailable = min(resolve(max_unavailable, of=wanted, round_up=False), wanted)
    surge = resolve(max_surge, of=wanted, round_up=True)
    return Bounds(surge=surge if surge or unavailable else 1, unavailable=unavailable)


def roll(
    *, wanted: int, new: Group, stable: Group | None, others: Sequence[Group], limits: Bounds
) -> Mapping[str, int]:
    """Gives the number of replicas for every revision.

    `stable` is the revision that served last, where that is not the new one; `others` are listed in the order in which
    they may go. Holds whenever a plan is carried out, in whole or in part, decreases first:
    the ready pods do not fall below min(what they were, wanted - unavailable), and all pods do not rise above
    wanted + surge.
    """
    if wanted == 0:
        return {group.revision: 0 for group in (new, *([stable] if stable else []), *others)}
    needed = wanted - limits.unavailable
    arrived = min(new.sure, wanted)
    kept = _keep_ready(others, spare=arrived + (stable.sure if stable else 0) + sum(o.sure for o in others) - needed)
    targets = dict(kept)
    if stable is not None:
        targets[stable.revision] = max(0, needed - arrived - sum(kept.values()))
    # What is being removed still counts: the new revision grows when the removal has been observed.
    held = sum(max(old.replicas, targets[old.revision]) for old in (*([stable] if stable else []), *others))
    targets[new.revision] = min(wanted, max(arrived, wanted + limits.surge - held))
    return targets


def roll_autoscaled(*, wanted: int, new: Group, others: Sequence[Group], limits: Bounds) -> Mapping[str, int]:
    """Gives the replicas of all revisions but that one whose number an autoscaler owns, while a new one comes.

    Stable keeps its pods until the autoscaler has been moved, so the new revision grows beside it up to the same
    number, a surge at a time beyond what is ready; others have nothing left to do.
    """
    step = max(1, limits.surge)
    return {**{old.revision: 0 for old in others}, new.revision: min(wanted, new.sure + step)}


def _keep_ready(others: Sequence[Group], *, spare: int) -> dict[str, int]:
    kept: dict[str, int] = {}
    for old in others:
        dropped = min(old.sure, max(0, spare))
        spare -= dropped
        kept[old.revision] = old.sure - dropped
    return kept
