"""What a SentryModel must be beyond what its schema can say; the webhook and the reconciler ask the same function."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import ValidationError

from sentinel_operator.api.kinds import SENTRY_MODEL
from sentinel_operator.api.sentrymodel import Feature, SentryModelSpec
from sentinel_operator.core.admission.advice import advice
from sentinel_operator.core.admission.errors import broken_rules, explain
from sentinel_operator.core.admission.pods import artifact_problems, resource_problems, volume_problems
from sentinel_operator.core.admission.rollout import rollout_problems
from sentinel_operator.core.admission.verdict import FieldError, Review, Verdict, member
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.sentrymodel.checks import problems
from sentinel_operator.core.sentrymodel.volumes import RESERVED_PATHS

_JSON_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "float32": ((int, float), "a number"),
    "float64": ((int, float), "a number"),
    "int32": ((int,), "an integer"),
    "int64": ((int,), "an integer"),
    "bool": ((bool,), "true or false"),
    "string": ((str,), "a string"),
}


def validate(review: Review) -> Verdict:
    """Judges a creation or an update: errors refuse it, warnings are shown to whoever made it."""
    spec, errors = read(review.new)
    if spec is None or errors:
        return Verdict(errors=errors)
    return Verdict(warnings=tuple(advice(spec, before=_spec_before(review.old))))


def read(raw: Manifest) -> tuple[SentryModelSpec | None, tuple[FieldError, ...]]:
    """Parses the spec and says all that is wrong with the object; without errors there is a spec."""
    errors = broken_rules(SENTRY_MODEL, raw)
    try:
        spec = SentryModelSpec.model_validate(raw.get("spec") or {})
    except ValidationError as error:
        return None, (*errors, *explain(error))
    return spec, (*errors, *_beyond_schema(spec))


def _spec_before(old: Manifest | None) -> SentryModelSpec | None:
    try:
        return SentryModelSpec.model_validate(old["spec"]) if old else None
    except (ValidationError, KeyError):
        return None


def _beyond_schema(spec: SentryModelSpec) -> Iterator[FieldError]:
    yield from problems(spec)
    yield from artifact_problems(spec.model, "spec.model")
    yield from _schema(spec)
    yield from _warmup(spec)
    yield from resource_problems(spec.pod)
    yield from _gpus(spec)
    yield from volume_problems(spec.pod, reserved=RESERVED_PATHS)
    yield from rollout_problems(spec.rollout)


def _schema(spec: SentryModelSpec) -> Iterator[FieldError]:
    names = [feature.name for feature in spec.schema_.features or ()]
    for field, items, step in (("features", names, ".name"), ("labels", spec.schema_.labels or [], "")):
        for index, item in enumerate(items):
            if item in items[:index]:
                yield FieldError(f"spec.schema.{field}[{index}]{step}", f'Duplicate value: "{item}"')


def _warmup(spec: SentryModelSpec) -> Iterator[FieldError]:
    for index, body in enumerate(spec.runtime.warmup or ()):
        path = f"spec.runtime.warmup[{index}]"
        features, task = spec.schema_.features, spec.schema_.task
        if task == "TextClassification" or (task == "Embedding" and not features):
            yield from _texts(body, path)
        elif features:
            yield from _tabular(body, path, features)


def _tabular(body: dict[str, Any], path: str, features: Sequence[Feature]) -> Iterator[FieldError]:
    if ("features" in body) == ("instances" in body):
        yield FieldError(path, "must hold either features or instances")
        return
    instances, single = ([body["features"]], True) if "features" in body else (body["instances"], False)
    if not isinstance(instances, list) or not instances:
        yield FieldError(f"{path}.instances", "must be a list of at least one")
        return
    for index, instance in enumerate(instances):
        yield from _instance(instance, f"{path}.features" if single else f"{path}.instances[{index}]", features)


def _instance(instance: Any, path: str, features: Sequence[Feature]) -> Iterator[FieldError]:
    if not isinstance(instance, dict):
        yield FieldError(path, "must be of type object")
        return
    for name in sorted(map(str, instance.keys() - {feature.name for feature in features})):
        yield FieldError(path + member(name), "is none of spec.schema.features")
    for feature in features:
        types, said = _JSON_TYPES[feature.dtype]
        if feature.name not in instance:
            yield FieldError(path + member(feature.name), "Required value")
        elif type(instance[feature.name]) not in types:
            yield FieldError(path + member(feature.name), f"must be {said}: the feature is {feature.dtype}")


def _texts(body: dict[str, Any], path: str) -> Iterator[FieldError]:
    if ("text" in body) == ("texts" in body):
        yield FieldError(path, "must hold either text or texts")
        return
    texts = [body["text"]] if "text" in body else body["texts"]
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text for text in texts):
        yield FieldError(f"{path}.{'text' if 'text' in body else 'texts'}", "must be text, and not empty")


def _gpus(spec: SentryModelSpec) -> Iterator[FieldError]:
    given, path = spec.pod.resources, "spec.pod.resources"
    gpu = spec.runtime.gpu.resource_name if spec.runtime.gpu else ""
    for field, quantities in (("requests", given.requests), ("limits", given.limits)) if given else ():
        if gpu in (quantities or {}):
            yield FieldError(f"{path}.{field}.{gpu}", "must be left out: spec.runtime.gpu says it")
