"""What a SentryModel would become, without a cluster: for `kubectl sentinel render` and for review in Git."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.api.sentrymodel import SentryModelSpec
from sentinel_operator.core.admission.sentrymodel import read
from sentinel_operator.core.parsing import parse
from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.core.sentrymodel.assess import assess
from sentinel_operator.core.sentrymodel.desired import desired_children
from sentinel_operator.core.sentrymodel.reconciler import SentryModelReconciler
from sentinel_operator.core.sentrymodel.references import config_maps as mentioned
from sentinel_operator.core.sentrymodel.references import reference
from sentinel_operator.core.sentrymodel.steps import target_revision

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # nothing that is rendered depends on the time


def render(
    raw: Manifest, config: SentinelConfigSpec | None = None, *, config_maps: Iterable[Manifest] = ()
) -> list[Manifest]:
    """Gives every child that a first pass would make, as a user would write them: with replicas, without owner.

    `config_maps` are those that the spec refers to; one that is not given appears as a placeholder, and the revision
    then has another name than it will have in the cluster. Raises ValueError, which names the field, for a spec that
    is not valid and for a key that a given ConfigMap lacks.
    """
    metadata = {"namespace": "default", **raw.get("metadata", {}), "uid": "", "generation": 1}
    model = {**raw, "metadata": metadata, "status": {}}
    parsed = parse(model, read)
    if parsed.spec is None:
        raise ValueError(parsed.problem)
    found = _snapshots(parsed.spec, metadata["namespace"], config_maps)
    observed = SentryModelReconciler().observe(model, (), (), found, config or SentinelConfigSpec(), _EPOCH)
    if observed.contents.missing:
        raise ValueError("; ".join(observed.contents.missing))
    assessment = assess(observed, parsed.spec, target_revision(observed, parsed.spec))
    children = desired_children(observed, assessment, deploy=True)
    return [_as_written(child, replicas=assessment.wanted) for child in children]


def _snapshots(spec: SentryModelSpec, namespace: str, given: Iterable[Manifest]) -> dict[ObjectRef, Manifest | None]:
    data: dict[str, dict[str, str]] = {}
    for mention in mentioned(spec):
        data.setdefault(mention.name, {})[mention.key] = f"<key {mention.key} of ConfigMap {mention.name}>"
    for config_map in given:
        metadata = config_map["metadata"]
        if metadata.get("namespace", namespace) == namespace:
            data[metadata["name"]] = dict(config_map.get("data") or {})
    return {reference(namespace, name): {"data": texts} for name, texts in data.items()}


def _as_written(child: Manifest, *, replicas: int) -> Manifest:
    metadata = {key: value for key, value in child["metadata"].items() if key != "ownerReferences"}
    written = {**child, "metadata": metadata}
    if child["kind"] == "Deployment":
        written["spec"] = {"replicas": replicas, **child["spec"]}
    return written
