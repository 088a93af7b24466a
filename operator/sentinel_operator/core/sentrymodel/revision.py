"""A revision: what its pods run, named by its own content, so that equal declarations are the same revision."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sentinel_operator.api.sentinelconfig import SentinelConfigSpec
from sentinel_operator.api.sentrymodel import SentryModelSpec
from sentinel_operator.core.hashing import digest, hash8
from sentinel_operator.core.names import REVISION, Owner, revision_name
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.sentrymodel.config import JWKS_FILE, config_data, serving_config
from sentinel_operator.core.sentrymodel.deployment import (
    COMPONENT,
    CONFIG_DIGEST_ANNOTATION,
    MODEL_DIGEST_ANNOTATION,
    PROCESS_DIGEST_ANNOTATION,
    VERSION_ANNOTATION,
    deployment,
    pod_template,
)
from sentinel_operator.core.sentrymodel.references import Contents

SNAPSHOT = "config"
"""Component of the ConfigMap that holds all of a revision but its pods."""
FOLLOWED = frozenset({"Shadow", "HotSwap", "Auto"})
"""Strategies for which running pods are told what to serve, or what to mirror."""


def is_followed(spec: SentryModelSpec) -> bool:
    """Tells whether new pods watch the ConfigMap of their revision."""
    return spec.rollout.strategy in FOLLOWED


def active_name(owner: str, revision: str) -> str:
    """Names the ConfigMap by which the pods of a revision's Deployment are told what to serve."""
    return f"{revision_name(owner, revision)}-active"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """The immutable objects of one revision, and what identifies them."""

    id: str
    version: str
    model_digest: str
    config_digest: str
    process_digest: str
    config_map: Manifest
    deployment: Manifest

    @property
    def name(self) -> str:
        """Gives the name that its objects share."""
        return str(self.deployment["metadata"]["name"])


def desired_revision(
    spec: SentryModelSpec,
    config: SentinelConfigSpec,
    *,
    owner: Owner,
    contents: Contents,
    indifferent: Collection[str] = (),
) -> Revision:
    """Gives the revision that the spec asks for. Replicas, services and the like do not change its name. `indifferent`
    are revisions whose Deployments were made without a preference for nodes: they stay without."""
    unnamed = config_data(spec, owner=owner, revision="", contents=contents)
    unnamed_template = pod_template(spec, config, owner=owner, revision="")
    revision = hash8({"template": unnamed_template, "data": unnamed})
    access = serving_config(spec, owner=owner, revision="").access.model_dump(mode="json", by_alias=True)
    process = digest({"template": unnamed_template, "access": access, "keys": unnamed.get(JWKS_FILE, "")})
    name = revision_name(owner.name, revision)
    data = config_data(spec, owner=owner, revision=revision, contents=contents)
    labels = owner.labels(COMPONENT, revision=revision, extra=spec.labels)
    annotations = {
        VERSION_ANNOTATION: spec.model.version,
        CONFIG_DIGEST_ANNOTATION: digest(unnamed),
        PROCESS_DIGEST_ANNOTATION: process,
        **({MODEL_DIGEST_ANNOTATION: spec.model.digest} if spec.model.digest else {}),
    }
    return Revision(
        id=revision,
        version=spec.model.version,
        model_digest=spec.model.digest or "",
        config_digest=annotations[CONFIG_DIGEST_ANNOTATION],
        process_digest=process,
        config_map=_config_map(owner, name=name, labels=labels, annotations=annotations, data=data),
        deployment=deployment(
            owner,
            name=name,
            labels=labels,
            annotations=annotations,
            template=pod_template(
                spec,
                config,
                owner=owner,
                revision=revision,
                follows=active_name(owner.name, revision) if is_followed(spec) else "",
                choosy=revision not in indifferent,
            ),
        ),
    )


def _config_map(
    owner: Owner, *, name: str, labels: dict[str, str], annotations: dict[str, str], data: dict[str, str]
) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": owner.namespace,
            "labels": {**labels, "app.kubernetes.io/component": SNAPSHOT},
            "annotations": annotations,
            "ownerReferences": [owner.reference()],
        },
        "immutable": True,
        "data": data,
    }


def revision_of(child: Manifest) -> str:
    """Gives the revision that an object belongs to, or an empty string."""
    return str((child["metadata"].get("labels") or {}).get(REVISION, ""))
