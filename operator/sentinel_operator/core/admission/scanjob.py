"""What a ScanJob must be beyond what its schema can say; the webhook and the reconciler ask the same function."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from sentinel_operator.api.fields import quantity
from sentinel_operator.api.kinds import SCAN_JOB
from sentinel_operator.api.scanjob import CONTROLLER, ScanJobSpec
from sentinel_operator.core.admission.errors import broken_rules, explain
from sentinel_operator.core.admission.fixed import moved
from sentinel_operator.core.admission.pods import (
    artifact_problems,
    image_path_problems,
    resource_problems,
    taken_problems,
    volume_problems,
)
from sentinel_operator.core.admission.verdict import FieldError, Review, Verdict
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.scanjob.config import artifacts
from sentinel_operator.core.scanjob.stores import Named, prefix, stores
from sentinel_operator.core.scanjob.volumes import RESERVED, RESERVED_PATHS


def validate(review: Review) -> Verdict:
    """Judges a creation or an update: errors refuse it, warnings are shown to whoever made it."""
    spec, errors = read(review.new)
    if spec is None or errors:
        return Verdict(errors=errors)
    before = _spec_before(review.old)
    if before is not None:
        return Verdict(errors=tuple(moved(SCAN_JOB, before, spec)))
    return Verdict(warnings=tuple(_advice(spec)))


def read(raw: Manifest) -> tuple[ScanJobSpec | None, tuple[FieldError, ...]]:
    """Parses the spec and says all that is wrong with the object; without errors there is a spec."""
    errors = broken_rules(SCAN_JOB, raw)
    try:
        spec = ScanJobSpec.model_validate(raw.get("spec") or {})
    except ValidationError as error:
        return None, (*errors, *explain(error))
    return spec, (*errors, *_beyond_schema(spec))


def _spec_before(old: Manifest | None) -> ScanJobSpec | None:
    try:
        return ScanJobSpec.model_validate(old["spec"]) if old else None
    except (ValidationError, KeyError):
        return None


def _beyond_schema(spec: ScanJobSpec) -> Iterator[FieldError]:
    if quantity(spec.source.max_document_bytes) < 1:
        yield FieldError("spec.source.maxDocumentBytes", "must be at least 1")
    yield from _places(spec)
    for model, place in artifacts(spec):
        yield from artifact_problems(model, place.field)
        yield from image_path_problems(model, place.field)
    yield from resource_problems(spec.pod)
    yield from volume_problems(spec.pod, reserved=RESERVED_PATHS)
    yield from taken_problems(
        spec.pod, names=RESERVED, prefixes=("authority-embedding-", "authority-classifier-"), paths=RESERVED_PATHS
    )


def _places(spec: ScanJobSpec) -> Iterator[FieldError]:
    """What is written must not lie in what is read: the next scan would judge the results of this one."""
    found = {named.name: named for named in stores(spec)}
    source = found["source"]
    for name in ("output", "quarantine", "cache"):
        written = found.get(name)
        if written is not None and _within(written, source):
            message = f"must not lie in spec.source.objectStore.uri ({source.store.uri}): it would be scanned"
            yield FieldError(f"{written.field}.uri", message)


def _within(inner: Named, outer: Named) -> bool:
    same = inner.store.endpoint.rstrip("/") == outer.store.endpoint.rstrip("/")
    return same and prefix(inner.store.uri).startswith(prefix(outer.store.uri))


def _advice(spec: ScanJobSpec) -> Iterator[str]:
    if spec.signing is None:
        yield "spec.signing is not set: nobody can prove the report, and no model can be admitted by it"
    if spec.quarantine is None:
        yield "spec.quarantine is not set: what must not be trained on stays where it is"
    if spec.detectors.embedding is None:
        yield "spec.detectors.embedding is not set: rules alone judge, which find known forms of attacks only"
    for model, place in artifacts(spec):
        if model.digest is None and model.verify is None:
            yield f"{place.field} has neither digest nor verify: whatever lies in storage then judges"
    for named in stores(spec):
        yield from _store_advice(named)
    if spec.managed_by not in {None, CONTROLLER}:
        yield f"spec.managedBy is {spec.managed_by}: this operator leaves the object alone"
    if spec.suspend:
        yield "spec.suspend is true: nothing is begun until it is false"


def _store_advice(named: Named) -> Iterator[str]:
    if named.store.endpoint.startswith("http://"):
        yield f"{named.field}.endpoint is plain http: documents travel unencrypted"
    if named.store.sse is not None and named.store.sse.mode != "None":
        yield f"{named.field}.sse is not used by the pods of a ScanJob: set a default encryption of the bucket"
