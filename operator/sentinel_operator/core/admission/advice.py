"""What is allowed and probably not meant: each sentence names the field and what follows from it."""

from __future__ import annotations

from collections.abc import Iterator

from sentinel_operator.api.sentrymodel import SentryModelSpec

_ADAPTED = ("RequestsInFlight", "RequestsPerSecond")


def advice(spec: SentryModelSpec, *, before: SentryModelSpec | None = None) -> Iterator[str]:
    """Yields a warning for each thing that whoever wrote the spec should look at again."""
    yield from _artifact(spec)
    yield from _artifact_change(spec, before)
    yield from _schema(spec)
    yield from _scaling(spec)
    yield from _disruption(spec)
    yield from _ignored(spec)


def _artifact(spec: SentryModelSpec) -> Iterator[str]:
    model = spec.model
    if model.digest is None:
        yield "spec.model.digest is not set: whatever lies in storage when a pod starts is served"
    if model.verify is None:
        yield "spec.model.verify is not set: nobody's signature is asked for"
    elif model.verify.mode == "Warn":
        yield "spec.model.verify.mode is Warn: an artifact is served although its signature is not accepted"
    store = model.source.object_store
    if store is not None and store.endpoint.startswith("http://"):
        yield "spec.model.source.objectStore.endpoint is plain http: the artifact and its requests travel unencrypted"


def _artifact_change(spec: SentryModelSpec, before: SentryModelSpec | None) -> Iterator[str]:
    if before is None or before.model.version != spec.model.version:
        return
    if (before.model.digest, before.model.source) != (spec.model.digest, spec.model.source):
        yield f"spec.model.version is still {spec.model.version} although the artifact is another one"


def _schema(spec: SentryModelSpec) -> Iterator[str]:
    schema = spec.schema_
    unknown = sorted(set(schema.label_policies or ()) - set(schema.labels or ()) - {"default"})
    if unknown:
        yield f"spec.schema.labelPolicies has entries for labels that spec.schema.labels lacks: {', '.join(unknown)}"
    if schema.features is not None and schema.task == "TextClassification":
        yield "spec.schema.features is not used when spec.schema.task is TextClassification"


def _scaling(spec: SentryModelSpec) -> Iterator[str]:
    if spec.autoscaling is None:
        return
    if spec.replicas is not None:
        yield "spec.replicas is not used while spec.autoscaling is set"
    for metric in spec.autoscaling.metrics:
        if metric.type in _ADAPTED:
            yield f"spec.autoscaling.metrics: {metric.type} needs an adapter that serves custom.metrics.k8s.io"


def _disruption(spec: SentryModelSpec) -> Iterator[str]:
    if spec.disruption is None:
        return
    replicas = spec.autoscaling.min if spec.autoscaling else spec.replicas or 1
    at_least, at_most = spec.disruption.min_available, spec.disruption.max_unavailable
    blocked = at_least == "100%" or (isinstance(at_least, int) and at_least >= replicas) or str(at_most) in ("0", "0%")
    if blocked and replicas > 1:
        field = "minAvailable" if at_least is not None else "maxUnavailable"
        yield f"spec.disruption.{field} allows no pod to go: a node cannot be drained"


def _ignored(spec: SentryModelSpec) -> Iterator[str]:
    if spec.routing.gateway is not None and spec.routing.provider != "Gateway":
        yield f"spec.routing.gateway is not used while spec.routing.provider is {spec.routing.provider}"
    if spec.suspend:
        yield "spec.suspend is true: nothing is changed until it is false again"
