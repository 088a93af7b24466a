"""Which other objects a spec names, and the field that does: for snapshots, for messages, never to read a Secret."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sentinel_operator.api.pod import ConfigMapKeyRef
from sentinel_operator.core.plan import Manifest, ObjectRef


@dataclass(frozen=True, slots=True)
class Mention:
    """An object of the owner's namespace, and the field that names it; `key` is empty where the whole is meant."""

    field: str
    name: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Contents:
    """What the referenced ConfigMaps hold at this moment, by name and key; `missing` says what is not there."""

    texts: Mapping[tuple[str, str], str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    def text(self, ref: ConfigMapKeyRef) -> str:
        """Gives the content that a reference means; only for references that are not missing."""
        return self.texts[ref.name, ref.key]


def reference(namespace: str, name: str) -> ObjectRef:
    """Names a ConfigMap for the engine."""
    return ObjectRef("v1", "ConfigMap", namespace, name)


def snapshot(mentions: Iterable[Mention], *, namespace: str, found: Mapping[ObjectRef, Manifest | None]) -> Contents:
    """Takes the snapshot: what each reference means now, or which field's object is not there."""
    texts: dict[tuple[str, str], str] = {}
    missing: list[str] = []
    for mention in mentions:
        config_map = found.get(reference(namespace, mention.name))
        if config_map is None:
            missing.append(f"{mention.field}: ConfigMap {namespace}/{mention.name} does not exist")
        elif mention.key not in (data := config_map.get("data") or {}):
            missing.append(f"{mention.field}: ConfigMap {namespace}/{mention.name} has no key {mention.key!r}")
        else:
            texts[mention.name, mention.key] = data[mention.key]
    return Contents(texts, tuple(missing))
