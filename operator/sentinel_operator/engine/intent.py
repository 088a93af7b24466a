"""Whether a live object is already what an intent asks for, so that a pass with nothing to do sends nothing.

The criterion is level-triggered and needs no memory: the object carries the hash of this very intent (so nothing that
was once applied has since been left out of it), and the intent is a subset of the object (so nobody changed what we
own). Lists and selectors must agree in full, except for the lists that server-side apply merges by key, which are
matched by that key and may hold others' items too. Differences in spelling that the API server itself makes -
quantities, empty values left out - are none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from sentinel_operator.core.plan import Manifest

HASH_ANNOTATION = "sentinel.dev/intent-hash"

Path = tuple[str, ...]

_MERGED_BY_KEY: Mapping[str, tuple[str, ...]] = {
    "containers": ("name",),
    "env": ("name",),
    "ephemeralContainers": ("name",),
    "hostAliases": ("ip",),
    "imagePullSecrets": ("name",),
    "initContainers": ("name",),
    "ownerReferences": ("uid",),
    "resourceClaims": ("name",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "volumeDevices": ("devicePath",),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
}
_REPLACED_WHOLE = frozenset(
    {"labelSelector", "matchLabels", "namespaceSelector", "nodeSelector", "podSelector", "selector"}
)
_CONTAINER_PORT, _SERVICE_PORT = ("containerPort", "protocol"), ("port", "protocol")
_QUANTITY_PARENTS = frozenset({"capacity", "hard", "limits", "requests"})
_QUANTITY_FIELDS = frozenset({"averageValue", "divisor", "sizeLimit"})
_SUFFIXES: Mapping[str, Decimal] = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(1000),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("MGTPE", start=2)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", start=1)},
}


def sealed(manifest: Manifest) -> tuple[Manifest, str]:
    """Gives the manifest with its own hash as an annotation, and the hash."""
    digest = hashlib.sha256(orjson.dumps(manifest, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
    metadata = manifest["metadata"]
    annotations = {**(metadata.get("annotations") or {}), HASH_ANNOTATION: digest}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}, digest


def differences(intent: Manifest, live: Manifest) -> frozenset[Path]:
    """Names the places where the live object is not what the intent asks for."""
    return frozenset(_compare(intent, live, ()))


def _compare(wanted: Any, found: Any, path: Path) -> Iterator[Path]:
    if isinstance(wanted, dict) and isinstance(found, dict):
        if path[-1:] and path[-1] in _REPLACED_WHOLE and found.keys() - wanted.keys():
            yield path
        for key, value in wanted.items():
            yield from _compare(value, found.get(key), (*path, key))
    elif isinstance(wanted, list) and isinstance(found, list):
        keys = _keys_of(path, wanted)
        yield from _compare_merged(wanted, found, path, keys) if keys else _compare_atomic(wanted, found, path)
    elif not _equal(wanted, found, path):
        yield path


def _compare_merged(wanted: Sequence[Any], found: Sequence[Any], path: Path, keys: tuple[str, ...]) -> Iterator[Path]:
    by_key = {_key_of(item, keys): item for item in found}
    for item in wanted:
        key = _key_of(item, keys)
        yield from _compare(item, by_key.get(key), (*path, "/".join(key)))


def _compare_atomic(wanted: Sequence[Any], found: Sequence[Any], path: Path) -> Iterator[Path]:
    if len(wanted) != len(found):
        yield path
        return
    for index, (ours, theirs) in enumerate(zip(wanted, found, strict=True)):
        yield from _compare(ours, theirs, (*path, str(index)))


def _keys_of(path: Path, items: Sequence[Any]) -> tuple[str, ...] | None:
    """Gives the keys by which server-side apply merges this list; None for one that is replaced whole."""
    if not all(isinstance(item, dict) for item in items):
        return None
    if path[-1:] == ("ports",) and items:
        if "containerPort" in items[0]:
            return _CONTAINER_PORT
        return _SERVICE_PORT if path == ("spec", "ports") else None
    return _MERGED_BY_KEY.get(path[-1]) if path else None


def _key_of(item: Any, keys: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(str(item.get(key) or ("TCP" if key == "protocol" else "")) for key in keys)


def _equal(wanted: Any, found: Any, path: Path) -> bool:
    if wanted == found or (not wanted and not found):
        return True
    if path[-1:] and (path[-1] in _QUANTITY_FIELDS or _QUANTITY_PARENTS & set(path[-2:-1])):
        return _quantity(wanted) is not None and _quantity(wanted) == _quantity(found)
    return False


def _quantity(value: Any) -> Decimal | None:
    """Reads a Kubernetes quantity as a number; None for what is none."""
    text = str(value)
    for length in (2, 1):
        factor = _SUFFIXES.get(text[-length:])
        if factor is not None:
            return _decimal(text[:-length], factor)
    return _decimal(text, Decimal(1))


def _decimal(text: str, factor: Decimal) -> Decimal | None:
    try:
        return Decimal(text) * factor
    except InvalidOperation:
        return None
