"""In which order decisions are made: as they stand in the plan, each after those that it depends on."""

from __future__ import annotations

from collections.abc import Sequence

from sentinel_operator.api.actionplan import Decision


def ordered(decisions: Sequence[Decision]) -> tuple[Decision, ...]:
    """Gives the order; raises ValueError that names a cycle."""
    known = {each.id: each for each in decisions}
    made: dict[str, Decision] = {}
    while len(made) < len(decisions):
        ready = next(
            (each for each in decisions if each.id not in made and _needs(each, known) <= made.keys()),
            None,
        )
        if ready is None:
            raise ValueError(f"dependsOn has a cycle: {' → '.join(_cycle(known, made))}")
        made[ready.id] = ready
    return tuple(made.values())


def dependents(decisions: Sequence[Decision], on: str) -> frozenset[str]:
    """Gives all that wait for a decision, directly or through others."""
    found: set[str] = set()
    reached = {on}
    while reached:
        reached = {each.id for each in decisions if reached & set(each.depends_on or ())} - found
        found |= reached
    return frozenset(found)


def _needs(decision: Decision, known: dict[str, Decision]) -> set[str]:
    return {each for each in decision.depends_on or () if each in known}


def _cycle(known: dict[str, Decision], made: dict[str, Decision]) -> list[str]:
    way = [next(name for name in known if name not in made)]
    while way[-1] not in way[:-1]:
        way.append(min(_needs(known[way[-1]], known) - made.keys()))
    return way[way.index(way[-1]) :]
