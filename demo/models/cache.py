"""Artifacts made once: kept unsigned under the hash of all that their bytes depend on."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from demo.models.artifact import Facts, Recipe, write_json
from demo.models.digest import directory_digest

_HERE = Path(__file__).parent
_RECORD = "record.json"


@dataclass(frozen=True, slots=True)
class Built:
    """An unsigned artifact, its sample requests and what is known of it."""

    artifact: Path
    samples: Path
    facts: Facts


def cache_root() -> Path:
    """Gives the folder of the project's cache that holds models."""
    base = os.environ.get("SENTINEL_CACHE")
    return (Path(base) if base else Path.home() / ".cache" / "sentinel") / "models"


def cache_key(recipe: Recipe) -> str:
    """Gives the hash of the recipe's name, parameters, source code and package versions."""
    inputs = {
        "name": recipe.name,
        "version": recipe.version,
        "parameters": recipe.parameters,
        "modules": {name: (_HERE / f"{name}.py").read_text(encoding="utf-8") for name in recipe.modules},
        "distributions": {name: version(name) for name in recipe.distributions},
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:32]


def obtain(recipe: Recipe, root: Path) -> Built:
    """Gives the artifact from the cache when its bytes are still those that were made; makes it otherwise, once."""
    key = cache_key(recipe)
    entry = root / key
    root.mkdir(parents=True, exist_ok=True)
    with (root / f"{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a build of the same artifact elsewhere is waited for, not repeated
        if _read(entry) is None:
            shutil.rmtree(entry, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=root, prefix=".making-") as made:
                _make(recipe, Path(made) / "entry")
                (Path(made) / "entry").rename(entry)
        built = _read(entry)
    if built is None:
        raise RuntimeError(f"{recipe.name} {recipe.version}: the cache entry cannot be read back")
    return built


def _make(recipe: Recipe, folder: Path) -> None:
    artifact, samples = folder / "artifact", folder / "samples"
    artifact.mkdir(parents=True)
    samples.mkdir()
    facts = recipe.make(artifact, samples)
    write_json(folder / _RECORD, {"digest": directory_digest(artifact), "facts": asdict(facts)})


def _read(entry: Path) -> Built | None:
    try:
        record = json.loads((entry / _RECORD).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    if directory_digest(entry / "artifact") != record["digest"]:
        return None
    raw = record["facts"]
    facts = Facts(**{**raw, "features": tuple(raw["features"]), "labels": tuple(raw["labels"])})
    return Built(entry / "artifact", entry / "samples", facts)
