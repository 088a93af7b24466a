"""What a brain wants measured, as an ActionPlan says it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sentinel_operator.core.bridge.words import Json, Untranslatable, integer, mapping, number, text

_TEXTS = {
    "success_condition": "successCondition",
    "failure_condition": "failureCondition",
    "interval": "interval",
    "initial_delay": "initialDelay",
}
_NUMBERS = {"max": "max", "min": "min"}
_COUNTS = {
    "count": "count",
    "failure_limit": "failureLimit",
    "consecutive_error_limit": "consecutiveErrorLimit",
}
_PROVIDERS = {
    "prometheus": {"address": "address", "query": "query", "timeout": "timeout"},
    "web": {"url": "url", "json_path": "jsonPath", "timeout": "timeout"},
}
_LONGEST = 2048


def read_metrics(said: Sequence[Any], *, path: str) -> list[dict[str, Any]]:
    """Gives metrics as they stand in an ActionPlan; what they must hold is judged with the whole plan."""
    return [_metric(each, path=f"{path}[{index}]") for index, each in enumerate(said)]


def _metric(said: object, *, path: str) -> dict[str, Any]:
    if not isinstance(said, dict):
        raise Untranslatable(path, "must be an object")
    known = {"name", *_TEXTS, *_NUMBERS, *_COUNTS, *_PROVIDERS}
    if unknown := sorted(map(str, set(said) - known)):
        raise Untranslatable(f"{path}.{unknown[0][:64]}", f"is not known: use {', '.join(sorted(known))}")
    found: dict[str, Any] = {
        **{member: text(said, name, path=path) for name, member in _TEXTS.items()},
        **{member: number(said, name, path=path) for name, member in _NUMBERS.items()},
        **{member: integer(said, name, path=path) for name, member in _COUNTS.items()},
        **{name: _provider(mapping(said, name, path=path), name, path=f"{path}.{name}") for name in _PROVIDERS},
    }
    said_something = {member: value for member, value in found.items() if value not in ("", None, {})}
    return {"name": text(said, "name", path=path), **said_something}


def _provider(said: Json, name: str, *, path: str) -> dict[str, str]:
    members = _PROVIDERS[name]
    if unknown := sorted(set(said) - set(members)):
        raise Untranslatable(f"{path}.{unknown[0][:64]}", f"is not known: use {', '.join(members)}")
    found = {members[key]: text(said, key, path=path, most=_LONGEST) for key in said}
    return {key: value for key, value in found.items() if value}
