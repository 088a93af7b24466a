"""What a brain tells as its reasons: shown to people, and never a parameter, for nothing is judged by it."""

from __future__ import annotations

from collections.abc import Iterable

from sentinel_operator.core.bridge.words import Json, mapping
from sentinel_operator.core.conditions import truncated

CLAIMED_SOURCE = "claimed-source"
_NAMES = frozenset({"estimated_cost_per_hour", "reason", "source", "rationale", "confidence"})
_PREFIXES = ("current_", "total_")
_MOST_SAID = 256
_MOST, _LONGEST, _LONGEST_NAME = 32, 1024, 63


def is_evidence(param: str) -> bool:
    """Tells whether a parameter of a decision is no parameter but a reason for it."""
    return param in _NAMES or param.startswith(_PREFIXES)


def written(said: Iterable[tuple[str, object]]) -> dict[str, str]:
    """Gives evidence as it stands in an ActionPlan: bounded, the first entries first; how many are left out is said."""
    entries = {name[:_LONGEST_NAME]: truncated(_text(value), _LONGEST) for name, value in said if name}
    if len(entries) <= _MOST:
        return entries
    kept = dict(list(entries.items())[: _MOST - 1])
    return {**kept, "left-out": f"{len(entries) - len(kept)} more"}


def of_plan(said: Json) -> list[tuple[str, object]]:
    """Gives what a plan says in its own evidence, and whom it claims to be from."""
    found = mapping(said, "evidence", most=_MOST_SAID)
    claimed = said.get("source")
    return [
        *((str(key), value) for key, value in found.items()),
        *([(CLAIMED_SOURCE, claimed)] if claimed else []),
        *((name, said[name]) for name in ("confidence", "rationale") if said.get(name)),
    ]


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
