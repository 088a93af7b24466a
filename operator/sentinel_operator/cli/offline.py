"""`render`: what a declaration would become, without a cluster; first it is judged as the cluster would judge it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sentinel_operator.api.base import API_VERSION
from sentinel_operator.api.kinds import KINDS, SCAN_JOB, SENTINEL_CONFIG, SENTRY_MODEL, Kind
from sentinel_operator.api.scanjob import ScanJobSpec
from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.api.sentrymodel import SentryModelSpec
from sentinel_operator.cli.outcome import Exit, Failed, Invalid
from sentinel_operator.cli.strict import unknown_fields
from sentinel_operator.core.admission import scanjob, sentinelconfig, sentrymodel
from sentinel_operator.core.admission.verdict import FieldError, Requester, Review, Validator, Verdict
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.pods.mentions import Mention
from sentinel_operator.core.scanjob.references import config_maps as of_scan
from sentinel_operator.core.scanjob.render import render as children_of_scan
from sentinel_operator.core.sentrymodel.references import config_maps
from sentinel_operator.core.sentrymodel.render import render as children_of

_KINDS = {kind.kind: kind for kind in KINDS}
_VALIDATORS: Mapping[str, Validator] = {
    SENTRY_MODEL.kind: sentrymodel.validate,
    SCAN_JOB.kind: scanjob.validate,
    SENTINEL_CONFIG.kind: sentinelconfig.validate,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What the files declare: our objects, and the ConfigMaps that they may refer to."""

    models: tuple[Manifest, ...]
    config: Manifest | None
    config_maps: tuple[Manifest, ...]
    scans: tuple[Manifest, ...] = ()


def render(file: str, *, settings: str | None, namespace: str | None) -> tuple[list[Manifest], list[str]]:
    """Gives the objects that would be made, and warnings; raises Failed with a line for each thing that is wrong."""
    found = declared_in(file, settings=settings, namespace=namespace)
    declared, warnings = judged(found, file=file, scans=True)
    absent = missing(declared)
    config, maps = SentinelConfigSpec.model_validate((declared.config or {}).get("spec") or {}), declared.config_maps
    made = [child for model in declared.models for child in children_of(model, config, config_maps=maps)]
    made += [child for scan in declared.scans for child in children_of_scan(scan, config, config_maps=maps)]
    return made, [*warnings, *absent]


def declared_in(file: str, *, settings: str | None, namespace: str | None) -> Declared:
    """Reads what a file declares, and a SentinelConfig from another."""
    return _declared([*read(file), *(read(settings) if settings else ())], namespace=namespace or "default")


def judged(declared: Declared, *, file: str, scans: bool = False) -> tuple[Declared, list[str]]:
    """Gives what was declared with warnings; raises Failed with a line for each thing that is wrong. `scans`: a ScanJob
    will do as well as a model."""
    if not declared.models and not (scans and declared.scans):
        wanted = f"{SENTRY_MODEL.kind} or {SCAN_JOB.kind}" if scans else SENTRY_MODEL.kind
        raise Invalid(f"{file}: holds no {wanted} of {API_VERSION}")
    ours = [*declared.models, *declared.scans, *([declared.config] if declared.config else [])]
    verdicts = [(raw, judge(_KINDS[raw["kind"]], raw)) for raw in ours]
    if errors := [_told(raw, error, of=len(ours)) for raw, verdict in verdicts for error in verdict.errors]:
        raise Invalid("\n".join(errors))
    return declared, [_told(raw, warning, of=len(ours)) for raw, verdict in verdicts for warning in verdict.warnings]


def missing(declared: Declared) -> list[str]:
    """Gives what the ConfigMaps lack that are absent as a whole; raises Failed for a key that one lacks."""
    ours = len(declared.models) + len(declared.scans) + (declared.config is not None)
    named = [(raw, config_maps(SentryModelSpec.model_validate(raw["spec"]))) for raw in declared.models]
    named += [(raw, of_scan(ScanJobSpec.model_validate(raw["spec"]))) for raw in declared.scans]
    found = [(raw, each) for raw, mentions in named for each in _references(raw, mentions, declared.config_maps)]
    if errors := [_told(model, said, of=ours) for model, (said, absent) in found if not absent]:
        raise Invalid("\n".join(errors))
    return [_told(model, said, of=ours) for model, (said, _) in found]


def read(file: str) -> list[Manifest]:
    """Reads every object of a YAML or JSON file, or of standard input (`-`); Lists are taken apart."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        documents = [each for each in yaml.safe_load_all(text) if each is not None]
    except OSError as error:
        raise Failed(f"{file}: {error.strerror}", Exit.USAGE) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Invalid(f"{file}: is no YAML: {error}") from error
    return [raw for each in documents for raw in _objects(each, file)]


def _objects(document: Any, file: str) -> Iterator[Manifest]:
    if not isinstance(document, dict) or not isinstance(document.get("kind"), str):
        raise Invalid(f"{file}: holds something that is no Kubernetes object: apiVersion and kind are needed")
    if document["kind"] == "List":
        for each in document.get("items") or ():
            yield from _objects(each, file)
        return
    yield document


def _declared(objects: list[Manifest], *, namespace: str) -> Declared:
    models: list[Manifest] = []
    scans: list[Manifest] = []
    config_maps: list[Manifest] = []
    config: Manifest | None = None
    for raw in objects:
        metadata = raw.get("metadata")
        placed = {**raw, "metadata": {"namespace": namespace, **metadata} if isinstance(metadata, dict) else {}}
        match raw.get("apiVersion"), raw["kind"]:
            case (version, SENTRY_MODEL.kind) if version == API_VERSION:
                models.append(placed)
            case (version, SCAN_JOB.kind) if version == API_VERSION:
                scans.append(placed)
            case (version, SENTINEL_CONFIG.kind) if version == API_VERSION:
                config = {**raw, "metadata": metadata if isinstance(metadata, dict) else {}}
            case ("v1", "ConfigMap") if isinstance(metadata, dict) and metadata.get("name"):
                config_maps.append(placed)
            case (version, kind) if kind in _KINDS:
                raise Invalid(f"apiVersion: {version!r} is not served for {kind}: it is {API_VERSION}")
            case _:
                continue  # somebody else's, as they stand beside ours in a file
    return Declared(models=tuple(models), config=config, config_maps=tuple(config_maps), scans=tuple(scans))


def judge(kind: Kind, raw: Manifest) -> Verdict:
    """Says what the API server and the webhook would: unknown fields, the schema, and what goes beyond it."""
    if not isinstance(raw["metadata"].get("name"), str):
        return Verdict(errors=(FieldError("metadata.name", "Required value"),))
    if not isinstance(raw.get("spec") or {}, dict):
        return Verdict(errors=(FieldError("spec", "must be of type object"),))
    unknown = tuple(unknown_fields(kind, raw))
    # Settings are taken as those of the cluster: there is no former state whose models they would change.
    before = raw if kind is SENTINEL_CONFIG else None
    verdict = _VALIDATORS[kind.kind](Review(kind=kind.kind, new=raw, old=before, requester=Requester(username="")))
    return Verdict(errors=(*unknown, *verdict.errors), warnings=verdict.warnings)


def _references(raw: Manifest, mentions: Iterable[Mention], given: Iterable[Manifest]) -> Iterator[tuple[str, bool]]:
    """Yields what the file lacks of the ConfigMaps that an object refers to, and whether the whole ConfigMap is absent:
    it may be in the cluster then, and appears as a placeholder."""
    namespace, models = raw["metadata"]["namespace"], raw["kind"] == SENTRY_MODEL.kind
    there = {each["metadata"]["name"]: each for each in given if each["metadata"]["namespace"] == namespace}
    for mention in mentions:
        if mention.name not in there:
            what = f"ConfigMap {namespace}/{mention.name} is not given, so its key {mention.key!r} is a placeholder"
            yield f"{mention.field}: {what}" + (", and the revision will have another name" if models else ""), True
        elif mention.key not in (there[mention.name].get("data") or {}):
            yield f"{mention.field}: ConfigMap {namespace}/{mention.name} has no key {mention.key!r}", False


def _told(raw: Manifest, said: object, *, of: int) -> str:
    """Writes `spec.field: message`; names the object where there are several."""
    return str(said) if of == 1 else f"{raw['kind'].lower()}/{raw['metadata'].get('name', '?')}: {said}"
