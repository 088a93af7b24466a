"""What a build leaves behind: the artifact's files, the facts about it, and the index of all of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

MODEL = "model.onnx"
METADATA = "metadata.json"
INDEX = "index.json"


@dataclass(frozen=True, slots=True)
class Recipe:
    """One version of one model, and how it is made.

    `make` writes the artifact's files into the first folder and sample requests into the second, and gives the facts.
    The bytes depend on nothing but the modules of this package, the distributions and the parameters named.
    """

    name: str
    version: str
    make: Callable[[Path, Path], Facts]
    modules: tuple[str, ...]
    distributions: tuple[str, ...]
    parameters: str = ""
    tampered: bool = False
    """One byte of the model is changed after the signing."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a build knows of its model. `metrics` are the same on every machine; `measured` are this machine's."""

    task: str
    features: tuple[str, ...]
    labels: tuple[str, ...]
    metrics: dict[str, Any]
    measured: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """A signed artifact as index.json lists it; paths are relative to the index."""

    name: str
    version: str
    path: str
    digest: str
    samples: str
    task: str
    features: tuple[str, ...]
    labels: tuple[str, ...]
    metrics: dict[str, Any]
    measured: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Index:
    """All that a build made, and the key that signed it."""

    public_key: str
    models: tuple[Entry, ...]

    def entry(self, name: str, version: str) -> Entry:
        """Gives the entry of this model and version; raises KeyError when it was not built."""
        for entry in self.models:
            if (entry.name, entry.version) == (name, version):
                return entry
        raise KeyError(f"{name} {version} is not in the index")


def write_json(path: Path, value: object) -> None:
    """Writes the value as JSON that depends on it alone."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=True) + "\n", encoding="utf-8")


def write_index(directory: Path, index: Index) -> None:
    """Writes index.json."""
    models = [asdict(entry) for entry in index.models]
    write_json(directory / INDEX, {"publicKey": index.public_key, "models": models})


def read_index(directory: Path) -> Index:
    """Reads index.json."""
    raw = json.loads((directory / INDEX).read_text(encoding="utf-8"))
    entries = (
        Entry(**{**model, "features": tuple(model["features"]), "labels": tuple(model["labels"])})
        for model in raw["models"]
    )
    return Index(raw["publicKey"], tuple(entries))
