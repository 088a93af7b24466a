"""What differs between two declarations of a model, and which difference makes another revision of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.api.sentrymodel import SentryModelSpec
from sentinel_operator.core.names import Owner
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.sentrymodel.references import Contents, config_maps
from sentinel_operator.core.sentrymodel.revision import desired_revision

Path = tuple[str | int, ...]
ABSENT = "absent"
_MOST_TRIED = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """One declaration of a model, with the settings and the ConfigMaps that it would meet."""

    raw: Manifest
    config: SentinelConfigSpec
    config_maps: Sequence[Manifest] = ()

    @property
    def spec(self) -> SentryModelSpec:
        """Gives the spec, which has been judged before."""
        return SentryModelSpec.model_validate(self.raw["spec"])

    @property
    def revision(self) -> str:
        """Names the revision that the operator would make of it."""
        return self.revision_of(self.spec)

    def revision_of(self, spec: SentryModelSpec) -> str:
        """Names the revision of another spec in this place."""
        metadata = self.raw["metadata"]
        owner = Owner(self.raw["apiVersion"], self.raw["kind"], metadata["namespace"], metadata["name"], "")
        contents = Contents(dict(self._texts(spec)))
        return desired_revision(spec, self.config, owner=owner, contents=contents).id

    def _texts(self, spec: SentryModelSpec) -> Iterator[tuple[tuple[str, str], str]]:
        """Yields what each reference means; of a ConfigMap that is not given, the same words in every declaration."""
        namespace = self.raw["metadata"]["namespace"]
        given = {each["metadata"]["name"]: each for each in self.config_maps if _within(each, namespace)}
        for mention in config_maps(spec):
            data = (given.get(mention.name) or {}).get("data") or {}
            unknown = f"<key {mention.key} of ConfigMap {mention.name}>"
            yield (mention.name, mention.key), str(data.get(mention.key, unknown))


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field that differs. `revises`: it alone makes another revision; None: that cannot be told of it alone."""

    field: str
    before: str
    after: str
    revises: bool | None


def differences(old: Declaration, new: Declaration) -> list[Difference]:
    """Gives the fields that differ, defaults put in, in the order of the spec."""
    before, after = _dumped(old.spec), _dumped(new.spec)
    found = list(_differing(before, after, ()))
    tried = found if len(found) <= _MOST_TRIED else []
    return [
        Difference(
            field=_dotted(path),
            before=_short(_at(before, path)),
            after=_short(_at(after, path)),
            revises=_revises(old, before, after, path) if path in tried else None,
        )
        for path in found
    ]


def _revises(old: Declaration, before: Mapping[str, Any], after: Mapping[str, Any], path: Path) -> bool | None:
    alone = deepcopy(dict(before))
    parent = _at(alone, path[:-1])
    value = _at(after, path)
    if value is ABSENT:
        parent.pop(path[-1])
    else:
        parent[path[-1]] = value
    try:
        return old.revision_of(SentryModelSpec.model_validate(alone)) != old.revision
    except (ValidationError, KeyError):
        return None


def _differing(before: Any, after: Any, path: Path) -> Iterator[Path]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys((*before, *after)):
            yield from _differing(before.get(key, ABSENT), after.get(key, ABSENT), (*path, key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _differing(one, other, (*path, index))
    elif before != after:
        yield path


def _dumped(spec: SentryModelSpec) -> dict[str, Any]:
    return spec.model_dump(mode="json", by_alias=True, exclude_none=True)


def _at(value: Any, path: Path) -> Any:
    for key in path:
        if isinstance(value, dict):
            value = value.get(key, ABSENT)
        elif isinstance(value, list):
            value = value[int(key)]
    return value


def _dotted(path: Iterable[str | int]) -> str:
    return "spec" + "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in path)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else f"{len(value)} entries" if isinstance(value, list) else str(value)
    text = "{…}" if isinstance(value, dict) else text
    return text if len(text) <= 80 else f"{text[:77]}…"


def _within(raw: Manifest, namespace: str) -> bool:
    return bool(raw["metadata"].get("namespace", namespace) == namespace)
