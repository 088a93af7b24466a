"""What a ScanJob would become, without a cluster: for `kubectl sentinel render` and for review in Git."""

from __future__ import annotations

from collections.abc import Iterable

from sentinel_operator.api.kinds import SCAN_JOB
from sentinel_operator.api.scanjob import ScanJobSpec
from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.core.admission.scanjob import read
from sentinel_operator.core.names import Owner
from sentinel_operator.core.parsing import parse
from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.core.pods.mentions import reference, snapshot
from sentinel_operator.core.scanjob.children import (
    desired_config_map,
    desired_network_policy,
    desired_service_account,
)
from sentinel_operator.core.scanjob.config import config_data
from sentinel_operator.core.scanjob.jobs import COMPONENTS, desired_job
from sentinel_operator.core.scanjob.references import config_maps as mentioned

UNKNOWN = "<uid>"
"""In place of what only the API server knows."""


def render(
    raw: Manifest, config: SentinelConfigSpec | None = None, *, config_maps: Iterable[Manifest] = ()
) -> list[Manifest]:
    """Gives every child that is made in the course of a scan, as a user would write them: without owner.

    How many shards there are is the plan's to say: as many as spec.shards allows are shown, or one. `config_maps` are
    those that the spec refers to; one that is not given appears as a placeholder. Raises ValueError, which names the
    field, for a spec that is not valid and for a key that a given ConfigMap lacks.
    """
    parsed = parse(raw, read)
    if parsed.spec is None:
        raise ValueError(parsed.problem)
    spec = parsed.spec
    settings, metadata = config or SentinelConfigSpec(), {"namespace": "default", **raw.get("metadata", {})}
    owner = Owner(SCAN_JOB.api_version, SCAN_JOB.kind, metadata["namespace"], metadata["name"], UNKNOWN)
    contents = snapshot(mentioned(spec), namespace=owner.namespace, found=_given(spec, owner.namespace, config_maps))
    if contents.missing:
        raise ValueError("; ".join(contents.missing))
    data = config_data(spec, owner=owner, contents=contents, prices=settings.prices, requested=("", ""))
    shared = (
        desired_service_account(spec, owner=owner),
        desired_network_policy(spec, settings, owner=owner),
        desired_config_map(spec, data, owner=owner),
    )
    jobs = [desired_job(spec, settings, step, owner=owner, shards=spec.shards or 1) for step in COMPONENTS]
    return [_as_written(child) for child in (*shared, *jobs) if child is not None]


def _given(spec: ScanJobSpec, namespace: str, config_maps: Iterable[Manifest]) -> dict[ObjectRef, Manifest | None]:
    data: dict[str, dict[str, str]] = {}
    for mention in mentioned(spec):
        data.setdefault(mention.name, {})[mention.key] = f"<key {mention.key} of ConfigMap {mention.name}>"
    for config_map in config_maps:
        metadata = config_map["metadata"]
        if metadata.get("namespace", namespace) == namespace:
            data[metadata["name"]] = dict(config_map.get("data") or {})
    return {reference(namespace, name): {"data": texts} for name, texts in data.items()}


def _as_written(child: Manifest) -> Manifest:
    return {**child, "metadata": {key: value for key, value in child["metadata"].items() if key != "ownerReferences"}}
