"""One decision of a brain, as an ActionPlan says it but for the kind of its target, which may have to be looked up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from sentinel_operator.api.actionverbs import PARAMS_OF, Verb
from sentinel_operator.core.bridge import evidence
from sentinel_operator.core.bridge.metrics import read_metrics
from sentinel_operator.core.bridge.target import Named, read_target
from sentinel_operator.core.bridge.words import Json, Untranslatable, choice, integer, items, mapping, text

_VERBS: tuple[str, ...] = get_args(Verb)
_KNOWN = ("id", "verb", "action", "target", "params", "ttl", "safety", "depends_on", "preconditions")
_SHORTEST, _LONGEST = 60, 3600
_MOST_METRICS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be done; `rest` are the members of an ActionPlan's decision but for its target."""

    verb: str
    target: Named
    rest: dict[str, Any]
    reasons: tuple[tuple[str, object], ...]
    """What else was said of it."""


def read_decision(said: object, *, index: int) -> Wish:
    """Reads one decision; raises Untranslatable, naming the member at fault."""
    path = f"decisions[{index}]"
    if not isinstance(said, dict):
        raise Untranslatable(path, "must be an object")
    unknown = sorted(str(each) for each in said if each not in _KNOWN and not evidence.is_evidence(str(each)))
    if unknown:
        raise Untranslatable(f"{path}.{unknown[0][:64]}", f"is not known: use {', '.join(_KNOWN)}")
    key = "verb" if said.get("verb") else "action"
    verb = choice(said, key, _VERBS, path=path)
    if not verb:
        raise Untranslatable(f"{path}.verb", f"must be one of {', '.join(_VERBS)}")
    identity = text(said, "id", path=path) or f"d{index + 1}"
    params, reasons = _params(mapping(said, "params", path=path), verb, path=f"{path}.params")
    reasons += [(name, value) for name, value in said.items() if evidence.is_evidence(name) and value not in (None, "")]
    optional = {
        "params": params,
        "ttl": _ttl(said, path),
        "safety": _safety(mapping(said, "safety", path=path), f"{path}.safety"),
        "preconditions": _preconditions(mapping(said, "preconditions", path=path), f"{path}.preconditions"),
        "dependsOn": [str(each) for each in items(said, "depends_on", path=path, most=31)],
    }
    return Wish(
        verb=verb,
        target=read_target(mapping(said, "target", path=path), verb=verb, path=f"{path}.target"),
        rest={"id": identity, "verb": verb, **{name: value for name, value in optional.items() if value}},
        reasons=tuple((f"{identity}.{name}", value) for name, value in reasons),
    )


def _params(said: Json, verb: str, *, path: str) -> tuple[dict[str, int | str], list[tuple[str, object]]]:
    params: dict[str, int | str] = {}
    reasons: list[tuple[str, object]] = []
    for name in said:
        if name in PARAMS_OF[verb]:
            params[name] = _param(said, name, path)
        elif evidence.is_evidence(name):
            reasons.append((name, said[name]))
        else:
            takes = ", ".join(PARAMS_OF[verb]) or "none"
            raise Untranslatable(f"{path}.{name[:64]}", f"is no parameter of {verb}, which takes {takes}")
    return {name: value for name, value in params.items() if value != ""}, reasons


def _param(said: Json, name: str, path: str) -> int | str:
    """Leaves a text as it is, its number to be read where it is used; a float without a fraction is its number."""
    value = said[name]
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return integer(said, name, path=path) or 0
    return value if isinstance(value, int) else text(said, name, path=path, most=256)


def _ttl(said: Json, path: str) -> str:
    seconds = integer(said, "ttl", path=path)
    if not seconds:
        return ""
    if not _SHORTEST <= seconds <= _LONGEST:
        raise Untranslatable(f"{path}.ttl", f"must be from {_SHORTEST} to {_LONGEST} seconds, not {seconds}")
    return f"{seconds}s"


def _safety(said: Json, path: str) -> dict[str, Any]:
    if not said:
        return {}
    limit = integer(said, "rate_limit", path=path)
    if limit is None:
        raise Untranslatable(f"{path}.rate_limit", "must be set: 0 permits nothing")
    window = text(said, "window", path=path, most=32)
    return {"rateLimit": limit, **({"window": window} if window else {})}


def _preconditions(said: Json, path: str) -> dict[str, Any]:
    if unknown := sorted(set(said) - {"uid", "generation", "metrics"}):
        raise Untranslatable(f"{path}.{unknown[0][:64]}", "is not known: use uid, generation, metrics")
    found = {
        "uid": text(said, "uid", path=path),
        "generation": integer(said, "generation", path=path),
        "metrics": read_metrics(items(said, "metrics", path=path, most=_MOST_METRICS), path=f"{path}.metrics"),
    }
    return {name: value for name, value in found.items() if value}
