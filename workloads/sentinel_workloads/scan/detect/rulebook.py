"""The rules, read from the package's YAML files: each with its pattern or measure, weight and examples."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import re2  # type: ignore[import-untyped]
import yaml

from sentinel_workloads.scan.detect.errors import DetectorError
from sentinel_workloads.scan.detect.normalise.characters import fold_pattern

VERSION = "1.0.0"
_NAME = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule; either `pattern` (RE2 syntax, over the normalised text) or `measure` with its parameters is given."""

    id: str
    attack: str
    weight: float
    message: str
    pattern: str = ""
    measure: str = ""
    parameters: Mapping[str, Any]
    positives: tuple[str, ...]
    negatives: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rulebook:
    """All rules in order of their files' names, and the digest of those files."""

    rules: tuple[Rule, ...]
    digest: str

    @property
    def attacks(self) -> tuple[str, ...]:
        """The classes of attack, sorted."""
        return tuple(sorted({rule.attack for rule in self.rules}))


@cache
def load() -> Rulebook:
    """Reads the rules; raises DetectorError naming the rule that is not one."""
    digest = hashlib.sha256()
    rules: list[Rule] = []
    for file in _sources():
        raw = file.read_bytes()
        digest.update(file.name.encode() + b"\0" + raw)
        rules += _rules(file.name, yaml.safe_load(raw))
    names = [rule.id for rule in rules]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DetectorError("rules", f"{twice[0]} is there twice")
    return Rulebook(tuple(rules), digest.hexdigest())


def _sources() -> list[Traversable]:
    folder = files(__package__).joinpath("rules")
    return sorted((file for file in folder.iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name)


def _rules(source: str, raw: dict[str, Any]) -> Iterator[Rule]:
    names = raw.get("let", {})
    for entry in raw["rules"]:
        own = dict(entry)
        try:
            rule = Rule(
                id=own.pop("id"),
                attack=raw["attack"],
                weight=float(own.pop("weight")),
                message=own.pop("message"),
                pattern=_expand(own.pop("pattern", ""), names),
                measure=own.pop("measure", ""),
                positives=tuple(own.pop("positives")),
                negatives=tuple(own.pop("negatives")),
                parameters=own,
            )
        except KeyError as error:
            raise DetectorError(f"rules/{source}", f"a rule lacks {error}") from None
        if bool(rule.pattern) == bool(rule.measure) or not 0 < rule.weight < 1:
            raise DetectorError(f"rules/{source}", f"{rule.id} needs a pattern or a measure, and a weight in (0, 1)")
        yield rule


def _expand(pattern: str, names: Mapping[str, str]) -> str:
    whole = _NAME.sub(lambda found: names.get(found.group(1), found.group()), pattern)
    return fold_pattern(whole)


def options() -> re2.Options:
    """Gives how every pattern is compiled: linear in the text whatever it holds, within this memory."""
    chosen = re2.Options()
    chosen.max_mem = 64 << 20
    chosen.log_errors = False
    return chosen
