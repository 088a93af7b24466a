"""One field of an object, before and after. Absolute, so that doing it twice is doing it once, and taking it back
leaves exactly what was there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from sentinel_operator.core.plan import Manifest


class Absent(Enum):
    """Where there is nothing; null is something else."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Edit:
    """Sets what stands at a path. Whole values are compared, so that nothing beside them is overwritten unseen."""

    path: Path
    before: Any
    after: Any

    def inverse(self) -> Edit:
        """Gives the edit that takes this one back."""
        return Edit(self.path, self.after, self.before)


def edit(live: Mapping[str, Any], path: Path, value: Any) -> Edit:
    """Gives the edit that puts the value there. Where parents are missing it puts them as well, so that its inverse
    leaves no empty ones behind."""
    for depth in range(1, len(path)):
        if value_at(live, path[:depth]) is ABSENT:
            if value is ABSENT:
                return Edit(path[:depth], ABSENT, ABSENT)
            for step in reversed(path[depth:]):
                value = {step: value}
            return Edit(path[:depth], ABSENT, value)
    return Edit(path, value_at(live, path), value)


def value_at(live: Mapping[str, Any], path: Path) -> Any:
    """Gives what stands at a path."""
    found: Any = live
    for step in path:
        if not isinstance(found, Mapping) or step not in found:
            return ABSENT
        found = found[step]
    return found


def stands(live: Mapping[str, Any], edits: Iterable[Edit]) -> bool:
    """Tells whether everything is as after the edits."""
    return all(value_at(live, each.path) == each.after for each in edits)


def changes(edits: Iterable[Edit]) -> tuple[Edit, ...]:
    """Gives the edits that change anything."""
    return tuple(each for each in edits if each.before != each.after)


def merge_patch(edits: Iterable[Edit]) -> Manifest:
    """Gives the JSON merge patch (RFC 7386) that brings an object from all of `before` to all of `after`."""
    patch: Manifest = {}
    for each in edits:
        place = patch
        for step in each.path[:-1]:
            place = place.setdefault(step, {})
        place[each.path[-1]] = _difference(each.before, each.after)
    return patch


def merged(target: Any, patch: Any) -> Any:
    """Applies a JSON merge patch, as the API server does."""
    if not isinstance(patch, Mapping):
        return patch
    out = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merged(out.get(key), value)
    return out


def _difference(before: Any, after: Any) -> Any:
    if after is ABSENT:
        return None
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return after
    gone = {key: None for key in before if key not in after}
    changed = {
        key: _difference(before.get(key, ABSENT), value)
        for key, value in after.items()
        if before.get(key, ABSENT) != value
    }
    return {**gone, **changed}


def without_nulls(value: Any) -> Any:
    """Gives an object without members that are null: API servers write some that mean nothing, and no patch can."""
    if isinstance(value, Mapping):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value


def as_text(value: Any) -> str:
    """Writes a value for the status; nothing where there is nothing."""
    return "" if value is ABSENT else json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def from_text(text: str) -> Any:
    """Reads what `as_text` wrote."""
    return json.loads(text) if text else ABSENT
