"""Makes the models, signs them and writes the index: what `python -m demo.models build` does."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from demo.models import injection, qos, scan_classifier, scan_embedding
from demo.models.artifact import MODEL, Entry, Index, Recipe, write_index
from demo.models.cache import Built, cache_root, obtain
from demo.models.digest import directory_digest
from demo.models.sign import KeyPair, key_pair, sign_directory


def recipes(variants: Sequence[str] = ()) -> tuple[Recipe, ...]:
    """Gives the recipes of the QoS versions named (none: all good ones), the text classifier and the scan's models.

    Raises KeyError when a variant is unknown.
    """
    chosen = [qos.VARIANTS[version] for version in variants] or list(qos.GOOD)
    fixed = (injection.recipe(), scan_embedding.recipe(), scan_classifier.recipe())
    return (*(qos.recipe(variant) for variant in chosen), *fixed)


def build(
    out: Path,
    *,
    wanted: Sequence[Recipe] | None = None,
    cache: Path | None = None,
    keys: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Index:
    """Gives the index of the signed artifacts that now lie in `out`: NAME/VERSION/, samples/, keys/ and index.json.

    Keys are taken from `keys` (signing.key) when it is given, else from `out`/keys, where they are made when missing.
    """
    out.mkdir(parents=True, exist_ok=True)
    pair = key_pair(keys or out / "keys")
    if keys is not None:
        (out / "keys").mkdir(exist_ok=True)
        shutil.copyfile(pair.public, out / "keys" / pair.public.name)
    entries = []
    for recipe in recipes() if wanted is None else wanted:
        say(f"{recipe.name} {recipe.version}")
        built = obtain(recipe, cache or cache_root())
        entries.append(_publish(recipe, built, out, pair))
        accuracy = built.facts.metrics.get("accuracy")
        known = "" if accuracy is None else f"accuracy {accuracy:.3f}, "
        say(f"{recipe.name} {recipe.version}: {known}{entries[-1].digest}")
    index = Index(f"keys/{pair.public.name}", tuple(entries))
    write_index(out, index)
    return index


def _publish(recipe: Recipe, built: Built, out: Path, pair: KeyPair) -> Entry:
    artifact = out / recipe.name / recipe.version
    samples = out / "samples" / recipe.name / recipe.version
    for source, target in ((built.artifact, artifact), (built.samples, samples)):
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
    sign_directory(artifact, pair)
    if recipe.tampered:
        _flip_last_byte(artifact / MODEL)
    return Entry(
        name=recipe.name,
        version=recipe.version,
        path=artifact.relative_to(out).as_posix(),
        digest=directory_digest(artifact),
        samples=(samples / "samples.json").relative_to(out).as_posix(),
        task=built.facts.task,
        features=built.facts.features,
        labels=built.facts.labels,
        metrics=built.facts.metrics,
        measured=built.facts.measured,
    )


def _flip_last_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
