"""Blocks that several kinds share: what a pod may say, where objects lie, who may call."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field

from sentinel_operator.api.base import Model
from sentinel_operator.api.fields import (
    AnnotationMap,
    Duration,
    IntOrPercent,
    Label,
    LabelMap,
    Name,
    OpenList,
    OpenObject,
    Quantity,
    ShortText,
    list_map,
)
from sentinel_operator.api.rules import CEL, exactly_one, matching, rules

DATA_KEY = rules(matching(r"^[-._a-zA-Z0-9]+$", "must be a key: letters, digits, '-', '_' and '.'"))
OWN_LABELS = r"^(sentinel[.]dev/.*|app[.]kubernetes[.]io/(name|instance|component|managed-by))$"
ChildLabels = Annotated[
    LabelMap,
    rules(
        CEL(
            rule=f"!self.exists(key, key.matches(r'{OWN_LABELS}'))",
            message="must leave sentinel.dev/* and app.kubernetes.io/name, instance, component and managed-by alone: "
            "the operator finds its objects by them",
            holds=lambda value: not any(re.fullmatch(OWN_LABELS, key) for key in value),
        )
    ),
]


class SecretRef(Model):
    """Names a Secret in the object's own namespace. The operator does not read it: the pods mount it."""

    name: Name


class SecretKeyRef(Model):
    """Names one key of a Secret in the object's own namespace."""

    name: Name
    key: Annotated[str, Field(min_length=1, max_length=253), DATA_KEY]


class ConfigMapKeyRef(Model):
    """Names one key of a ConfigMap in the object's own namespace; its content is copied into the revision."""

    name: Name
    key: Annotated[str, Field(min_length=1, max_length=253), DATA_KEY]


class EnvVar(Model):
    """An environment variable of the container."""

    name: Annotated[
        str,
        Field(min_length=1, max_length=256),
        rules(matching(r"^[-._a-zA-Z][-._a-zA-Z0-9]*$", "must be the name of an environment variable")),
    ]
    value: Annotated[str, Field(max_length=4096)] = ""
    value_from: OpenObject | None = None
    """As in a Pod: secretKeyRef, configMapKeyRef, fieldRef or resourceFieldRef."""


ENV_RULES = rules(
    CEL(
        rule="self.value == '' || !has(self.valueFrom)",
        message="set at most one of value and valueFrom",
        holds=lambda value: value.value == "" or value.value_from is None,
    )
)


class Resources(Model):
    """Compute resources of the container, as in a Pod."""

    requests: Annotated[dict[str, Quantity], Field(max_length=16)] | None = None
    limits: Annotated[dict[str, Quantity], Field(max_length=16)] | None = None


class Volume(Model):
    """An extra volume and where the container sees it."""

    name: Label
    mount_path: Annotated[
        str, Field(min_length=1, max_length=512), rules(matching(r"^/[^:]*$", "must be an absolute path without ':'"))
    ]
    read_only: bool = True
    source: OpenObject
    """The volume's source as in a Pod, for example {configMap: {name: extra}}."""


class Pod(Model):
    """What the pods of a component may say beyond what the operator sets."""

    labels: ChildLabels | None = None
    annotations: AnnotationMap | None = None
    node_selector: LabelMap | None = None
    tolerations: OpenList | None = None
    affinity: OpenObject | None = None
    topology_spread_constraints: OpenList | None = None
    """Absent: pods are spread over nodes as well as can be."""
    priority_class_name: Name | None = None
    runtime_class_name: Name | None = None
    service_account_name: Name | None = None
    """Absent: the operator makes one without any right and without a token."""
    image_pull_secrets: Annotated[list[SecretRef], Field(max_length=16), list_map("name")] | None = None
    resources: Resources | None = None
    """Absent: requests 250m CPU and 256Mi memory, limit 1Gi memory."""
    env: Annotated[list[Annotated[EnvVar, ENV_RULES]], Field(max_length=64), list_map("name")] | None = None
    volumes: Annotated[list[Volume], Field(max_length=32), list_map("name")] | None = None
    security_context: OpenObject | None = None
    """The pod's securityContext; absent: non-root, seccomp RuntimeDefault."""
    termination_grace_period: Duration = "45s"


class CaBundle(Model):
    """PEM certificates that are trusted besides the system's."""

    config_map_ref: ConfigMapKeyRef


class Encryption(Model):
    """Server-side encryption that the object store applies to what is written."""

    mode: Literal["None", "AES256", "KMS"] = "None"
    kms_key_id: ShortText = ""


class ObjectStore(Model):
    """Where objects lie, one shape everywhere."""

    uri: Annotated[
        str,
        Field(min_length=6, max_length=1024),
        rules(
            matching(r"^s3://[a-z0-9][-.a-z0-9]{1,61}[a-z0-9](/.*)?$", "must be s3://bucket/key or s3://bucket/prefix/")
        ),
    ]
    """s3://bucket/key of a file, or s3://bucket/prefix/ of a directory."""
    endpoint: Annotated[
        str,
        Field(max_length=512),
        rules(matching(r"^(https?://[^/?#]+/?)?$", "must be http://host:port or https://host:port, without a path")),
    ] = ""
    """Base address of an S3-compatible service; absent: AWS of the region."""
    region: Annotated[str, Field(max_length=64)] = "us-east-1"
    credentials_secret_ref: SecretRef | None = None
    """Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; absent: workload identity of the service account."""
    ca_bundle: CaBundle | None = None
    sse: Encryption | None = None


class Jwt(Model):
    """Bearer tokens that are accepted."""

    issuer: Annotated[str, Field(min_length=1, max_length=512)]
    audience: Annotated[str, Field(min_length=1, max_length=512)]
    jwks: ConfigMapKeyRef
    """JSON Web Key Set; nothing is asked over the network."""


class Auth(Model):
    """Who may call: the holders of API keys, or of tokens."""

    api_keys_secret_ref: SecretRef | None = None
    """Secret whose values are SHA-256 hex digests of the keys; its key names are the clients' names."""
    jwt: Jwt | None = None


AUTH_RULES = rules(exactly_one("apiKeysSecretRef", "jwt"))


class RateLimit(Model):
    """Token bucket for each client; beyond it 429 with Retry-After."""

    requests_per_second: Annotated[float, Field(gt=0, le=1_000_000)]
    burst: Annotated[int, Field(ge=1, le=1_000_000)] = 100


class Tls(Model):
    """Certificate of the listener."""

    secret_ref: SecretRef


class Access(Model):
    """Who may call what listens, and how often."""

    auth: Annotated[Auth, AUTH_RULES] | None = None
    rate_limit: RateLimit | None = None
    tls: Tls | None = None


class Disruption(Model):
    """The PodDisruptionBudget; at one replica none is made, since it would block every drain."""

    min_available: IntOrPercent | None = None
    max_unavailable: IntOrPercent | None = None
    move_off_failed_gpus: bool = True
    """Evicts a pod whose GPU has failed (a fatal Xid, lost), within this budget."""
