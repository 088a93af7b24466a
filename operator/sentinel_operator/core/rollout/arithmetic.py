"""Replica arithmetic: counts from weights, weights from counts, and the replacement of pods one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sentinel_operator.core.intstr import resolve


def nearest(numerator: int, denominator: int) -> int:
    """Divides two natural numbers and rounds to the nearest integer, halves up."""
    return (2 * numerator + denominator) // (2 * denominator)


def beside(stable: int, weight: int) -> int:
    """Gives the pods that get this percent of the requests beside so many of stable, when all pods get as many: the
    nearest integer, and at least one. At 100 percent no number does."""
    return max(1, nearest(stable * weight, 100 - weight)) if weight > 0 else 1


def needed(weight: int, *, wanted: int) -> int:
    """Gives the pods that carry this percent of what all wanted pods carry."""
    return -(-wanted * weight // 100)


def carried(pods: int, *, wanted: int) -> int:
    """Gives the percent of the requests that so many pods carry."""
    return min(100, 100 * pods // wanted) if wanted else 0


def share(pods: int, *, of: int) -> int:
    """Gives the percent that some pods are of all."""
    return nearest(100 * pods, of) if of else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The pods of one revision: how many its Deployment asks for, and how many of those get requests."""

    revision: str
    replicas: int = 0
    serving: int = 0


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far the number of pods may leave the wanted one on the way."""

    surge: int
    unavailable: int


def bounds(max_surge: int | str, max_unavailable: int | str, *, wanted: int) -> Bounds:
    """Turns shares into pods: surge rounded up, unavailability down; at least one pod can always be replaced."""
    unavailable = min(resolve(max_unavailable, of=wanted, round_up=False), wanted)
    extra = resolve(max_surge, of=wanted, round_up=True)
    return Bounds(surge=extra if extra or unavailable else 1, unavailable=unavailable)


def roll(
    *, wanted: int, new: Group, stable: Group | None, others: Sequence[Group], limits: Bounds
) -> Mapping[str, int]:
    """Gives the number of replicas for every revision.

    Level-triggered, with N wanted, S surge and U unavailable: stable keeps N - U pods, less those that serve
    elsewhere, so that a revision whose pods do not become ready takes nothing from it; `others`, in the order in which
    they may go, lose what does not serve at once, and what serves as far as N - U serving pods remain; the new revision
    gets what is left below N + S. Holds whenever it is carried out in whole or in part, decreases first: the serving
    pods do not fall below min(what they were, N - U), and all pods do not rise above N + S.
    """
    olds = (*([stable] if stable else []), *others)
    if wanted == 0:
        return {group.revision: 0 for group in (new, *olds)}
    least = wanted - limits.unavailable
    arrived = min(new.serving, wanted)
    kept = _kept(others, spare=arrived + sum(old.serving for old in olds) - least)
    targets = dict(kept)
    if stable is not None:
        targets[stable.revision] = max(0, least - arrived - sum(kept.values()))
    # What is being removed still counts: the new revision grows when the removal has been observed.
    held = sum(max(old.replicas, targets[old.revision]) for old in olds)
    targets[new.revision] = min(wanted, max(arrived, wanted + limits.surge - held))
    return targets


def _kept(others: Sequence[Group], *, spare: int) -> dict[str, int]:
    kept: dict[str, int] = {}
    for old in others:
        dropped = min(old.serving, max(0, spare))
        spare -= dropped
        kept[old.revision] = old.serving - dropped
    return kept
