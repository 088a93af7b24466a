"""SentryModel: a model served, and every new version delivered safely."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from sentinel_operator.api.base import Model
from sentinel_operator.api.conditions import Condition, Decision
from sentinel_operator.api.fields import (
    CEL,
    Digest,
    Duration,
    IntOrPercent,
    LabelMap,
    Name,
    OpenObject,
    Quantity,
    ShortText,
    Text,
    list_atomic,
    list_map,
    list_set,
    open_items,
    rules,
)
from sentinel_operator.api.pod import (
    Access,
    ConfigMapKeyRef,
    Disruption,
    ObjectStore,
    Pod,
    SecretKeyRef,
)

Task = Literal["TextClassification", "TabularClassification", "Embedding", "Generic"]
Dtype = Literal["float32", "float64", "int32", "int64", "bool", "string"]


# ---------------------------------------------------------------------------------------------- the artifact


class Https(Model):
    """A file behind HTTPS."""

    url: Annotated[str, Field(max_length=2048, pattern=r"^https://[^\s]+$")]
    ca_bundle: ConfigMapKeyRef | None = None


class Pvc(Model):
    """A file or directory on a PersistentVolumeClaim of the same namespace, mounted read-only."""

    claim_name: Name
    path: Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[^/].*$")]
    """Path below the claim's root."""


class Image(Model):
    """A file or directory baked into an image that the pod runs once to copy it out."""

    reference: Annotated[str, Field(min_length=1, max_length=512)]
    path: Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^/.*$")]


class Source(Model):
    """Where the artifact comes from; the pods fetch it under their own identity."""

    type: Literal["ObjectStore", "Https", "Pvc", "Image"] = "ObjectStore"
    object_store: ObjectStore | None = None
    https: Https | None = None
    pvc: Pvc | None = None
    image: Image | None = None


SOURCE_RULES = rules(
    *(
        CEL(
            f"self.type != '{kind}' || has(self.{member})",
            f"spec.model.source.{member} is required when spec.model.source.type is {kind}",
        )
        for kind, member in (("ObjectStore", "objectStore"), ("Https", "https"), ("Pvc", "pvc"), ("Image", "image"))
    ),
    CEL(
        "[has(self.objectStore), has(self.https), has(self.pvc), has(self.image)].filter(set, set).size() <= 1",
        "set only the member of spec.model.source that spec.model.source.type names",
    ),
)


class Key(Model):
    """A public key that the signature must match: exactly one of pem and secretRef."""

    pem: Annotated[str, Field(max_length=16384)] | None = None
    secret_ref: SecretKeyRef | None = None


class Certificate(Model):
    """Signing certificates under this CA chain are accepted: exactly one of pem and secretRef."""

    pem: Annotated[str, Field(max_length=65536)] | None = None
    secret_ref: SecretKeyRef | None = None


class KeylessIdentity(Model):
    """Who must have signed, as issuer and subject of the certificate; each a value or a regular expression (RE2)."""

    issuer: ShortText | None = None
    issuer_reg_exp: ShortText | None = None
    subject: ShortText | None = None
    subject_reg_exp: ShortText | None = None


IDENTITY_RULES = rules(
    CEL("has(self.issuer) != has(self.issuerRegExp)", "set exactly one of issuer and issuerRegExp"),
    CEL("has(self.subject) != has(self.subjectRegExp)", "set exactly one of subject and subjectRegExp"),
)


class Keyless(Model):
    """Signatures by short-lived certificates; verified offline against the trust root."""

    identities: Annotated[
        list[Annotated[KeylessIdentity, IDENTITY_RULES]], Field(min_length=1, max_length=16), list_atomic()
    ]
    trust_root: ConfigMapKeyRef
    """sigstore TrustedRoot JSON."""


class Authority(Model):
    """One signer that is trusted."""

    name: Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
    key: (
        Annotated[
            Key, rules(CEL("has(self.pem) != has(self.secretRef)", "set exactly one of pem and secretRef in key"))
        ]
        | None
    ) = None
    certificate: (
        Annotated[
            Certificate,
            rules(
                CEL(
                    "has(self.pem) != has(self.secretRef)",
                    "set exactly one of pem and secretRef in certificate",
                )
            ),
        ]
        | None
    ) = None
    keyless: Keyless | None = None


AUTHORITY_RULES = rules(
    CEL(
        "[has(self.key), has(self.certificate), has(self.keyless)].filter(set, set).size() == 1",
        "set exactly one of key, certificate and keyless in each of spec.model.verify.authorities",
    )
)


class Verify(Model):
    """Which signatures the artifact must carry before it is served."""

    mode: Literal["Enforce", "Warn"] = "Enforce"
    """Enforce refuses the artifact; Warn serves it and says so in the condition ModelVerified."""
    authorities: Annotated[
        list[Annotated[Authority, AUTHORITY_RULES]], Field(min_length=1, max_length=8), list_map("name")
    ]
    """The signature of any one of them suffices."""


class Cache(Model):
    """A copy from which a pod starts when storage cannot be reached; digest and signature are checked again."""

    type: Literal["None", "Pvc", "NodePath"] = "None"
    claim_name: Name | None = None
    path: Annotated[str, Field(max_length=512, pattern=r"^/[^:]*$")] | None = None
    max_bytes: Quantity = "20Gi"


CACHE_RULES = rules(
    CEL("self.type != 'Pvc' || has(self.claimName)", "spec.model.cache.claimName is required when its type is Pvc"),
    CEL("self.type != 'NodePath' || has(self.path)", "spec.model.cache.path is required when its type is NodePath"),
)


class ModelArtifact(Model):
    """What is served: its name for people, where it lies, what it must be, and who must have signed it."""

    version: Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?$")]
    """A person's name for this version, for example 1.0.0."""
    metadata: Annotated[dict[str, ShortText], Field(max_length=32)] | None = None
    """Free facts, for example accuracy: "0.94"."""
    format: Literal["ONNX"] = "ONNX"
    source: Annotated[Source, SOURCE_RULES]
    digest: Digest | None = None
    """sha256 of the file, or of the canonical manifest of the directory (`kubectl sentinel digest PATH` prints it)."""
    verify: Verify | None = None
    max_bytes: Quantity = "20Gi"
    """A larger artifact is refused."""
    cache: Annotated[Cache, CACHE_RULES] | None = None


# ---------------------------------------------------------------------------------------------- the schema


class Feature(Model):
    """One named input."""

    name: Annotated[str, Field(min_length=1, max_length=128)]
    dtype: Dtype = "float32"


LabelPolicies = dict[str, dict[str, str]]


class Schema(Model):
    """What goes in and what comes out. A model that disagrees is refused before it gets traffic."""

    task: Task = "Generic"
    features: Annotated[list[Feature], Field(max_length=1024), list_atomic()] | None = None
    """Inputs in the model's order (TabularClassification)."""
    labels: Annotated[list[ShortText], Field(min_length=1, max_length=4096), list_atomic()] | None = None
    """Classes in the model's order."""
    tokenizer: Annotated[str, Field(max_length=256, pattern=r"^[^/].*$")] = "tokenizer.json"
    """Path inside the artifact (text tasks)."""
    max_tokens: Annotated[int, Field(ge=1, le=8192)] = 256
    """Longer texts are cut after this many tokens."""
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.85
    """Below this confidence the answer is marked uncertain."""
    label_policies: (
        Annotated[
            dict[str, Annotated[dict[str, ShortText], Field(max_length=32)]],
            Field(max_length=256),
        ]
        | None
    ) = None
    """Free facts that an answer carries for its label, for example {Gaming: {dscp: EF}}; `default` is for the rest."""


SCHEMA_RULES = rules(
    CEL(
        "self.task != 'TabularClassification' || (has(self.features) && self.features.size() > 0)",
        "spec.schema.features is required when spec.schema.task is TabularClassification",
    ),
    CEL(
        "!(self.task in ['TextClassification', 'TabularClassification']) || has(self.labels)",
        "spec.schema.labels is required when spec.schema.task is a classification",
    ),
)


# ---------------------------------------------------------------------------------------------- running it


class BatchingSpec(Model):
    """Requests that arrive together run together. maxSize 1 turns it off, where outputs must be bit-stable."""

    max_size: Annotated[int, Field(ge=1, le=1024)] = 32
    max_delay: Duration = "5ms"


class Gpu(Model):
    """GPUs of each pod."""

    count: Annotated[int, Field(ge=1, le=64)] = 1
    resource_name: Annotated[str, Field(min_length=3, max_length=253, pattern=r"^[a-z0-9.-]+/[A-Za-z0-9._-]+$")] = (
        "nvidia.com/gpu"
    )


class Runtime(Model):
    """How the model runs."""

    engine: Literal["OnnxRuntime"] = "OnnxRuntime"
    image: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    """Absent: the operator's default for the engine."""
    threads: Annotated[int, Field(ge=1, le=256)] = 1
    """Threads of one inference."""
    batching: BatchingSpec = BatchingSpec()
    warmup: (
        Annotated[
            list[dict[str, Any]],
            Field(max_length=16),
            open_items(),
        ]
        | None
    ) = None
    """Bodies of /v1/predict that each pod answers once before it is ready."""
    gpu: Gpu | None = None


class Metric(Model):
    """What the autoscaler holds at its target."""

    type: Literal["CPU", "Memory", "RequestsInFlight", "RequestsPerSecond"]
    target: Annotated[int, Field(ge=1, le=1_000_000)]
    """Percent of the request for CPU and Memory; average for each pod for the others."""


class Autoscaling(Model):
    """A HorizontalPodAutoscaler; it then owns the number of replicas and the operator leaves it alone."""

    min: Annotated[int, Field(ge=1, le=1000)] = 1
    max: Annotated[int, Field(ge=1, le=1000)]
    metrics: Annotated[list[Metric], Field(min_length=1, max_length=4), list_map("type")] = Field(
        default_factory=lambda: [Metric(type="CPU", target=70)]
    )
    behavior: OpenObject | None = None
    """As in a HorizontalPodAutoscaler."""


AUTOSCALING_RULES = rules(
    CEL("self.min <= self.max", "spec.autoscaling.min must not be greater than spec.autoscaling.max")
)
DISRUPTION_RULES = rules(
    CEL(
        "has(self.minAvailable) != has(self.maxUnavailable)",
        "set exactly one of spec.disruption.minAvailable and spec.disruption.maxUnavailable",
    )
)


class ServiceSpec(Model):
    """The Service before the pods."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = "ClusterIP"
    annotations: LabelMap | None = None


class ParentRef(Model):
    """A Gateway, as in an HTTPRoute."""

    name: Name
    namespace: Name | None = None
    section_name: Name | None = None


class Gateway(Model):
    """The HTTPRoute before the Service."""

    parent_refs: Annotated[list[ParentRef], Field(min_length=1, max_length=8), list_atomic()]
    hostnames: (
        Annotated[list[Annotated[str, Field(min_length=1, max_length=253)]], Field(max_length=16), list_set()] | None
    ) = None
    path_prefix: Annotated[str, Field(min_length=1, max_length=256, pattern=r"^/.*$")] = "/"


class Routing(Model):
    """How requests reach the pods."""

    provider: Literal["Service", "Gateway"] = "Service"
    gateway: Gateway | None = None


ROUTING_RULES = rules(
    CEL(
        "self.provider != 'Gateway' || has(self.gateway)",
        "spec.routing.gateway is required when spec.routing.provider is Gateway",
    )
)


class Rollout(Model):
    """How a new revision takes over from the old."""

    strategy: Literal["RollingUpdate"] = "RollingUpdate"
    max_surge: IntOrPercent = "25%"
    """Pods of the new revision beyond the wanted number (rounded up)."""
    max_unavailable: IntOrPercent = 0
    """Pods that may be missing from the wanted number on the way (rounded down)."""
    progress_deadline: Duration = "10m"
    """Without progress for this long the revision counts as failed; the old one goes on serving."""
    revision_history_limit: Annotated[int, Field(ge=1, le=50)] = 10


class SentryModelSpec(Model):
    """A model served, and every new version delivered safely."""

    model: ModelArtifact
    schema_: Annotated[Schema, SCHEMA_RULES, Field(alias="schema")] = Schema()
    runtime: Runtime = Runtime()
    replicas: Annotated[int, Field(ge=0, le=1000, json_schema_extra={"format": "int32"})] | None = None
    """Absent means 1; never written by the operator. Leave it out under autoscaling."""
    autoscaling: Annotated[Autoscaling, AUTOSCALING_RULES] | None = None
    disruption: Annotated[Disruption, DISRUPTION_RULES] | None = None
    """Absent: at most one pod is unavailable, from two replicas on."""
    service: ServiceSpec = ServiceSpec()
    access: Access | None = None
    routing: Annotated[Routing, ROUTING_RULES] = Routing()
    rollout: Rollout = Rollout()
    labels: LabelMap | None = None
    """Put on every child (cost allocation)."""
    pod: Pod = Pod()
    suspend: bool = False
    """Stops acting, goes on observing."""


# ---------------------------------------------------------------------------------------------- status


class RevisionStatus(Model):
    """A revision that serves or comes."""

    revision: str
    version: str = ""
    model_digest: str = ""
    image_digest: str = ""
    """Digest of the server's image as the nodes report it."""
    config_digest: str = ""
    ready_replicas: int = 0
    weight: int = 0
    """Percent of the ready pods."""


class RevisionRecord(Model):
    """One entry of the history."""

    revision: str
    version: str = ""
    model_digest: str = ""
    created_at: str = ""
    verdict: Literal["Pending", "Promoted", "Failed", "Superseded"] = "Pending"
    message: Annotated[str, Field(max_length=1024)] = ""


class RolloutStatus(Model):
    """Where the delivery of the newest revision stands."""

    message: Text = ""
    started_at: str = ""
    progressed_at: str = ""
    """When the number of ready pods of the new revision last grew."""


class VerificationStatus(Model):
    """What the pods verified of the artifact they serve."""

    digest: str = ""
    authority: str = ""
    identity: str = ""
    at: str = ""


Phase = Literal["Pending", "Progressing", "Ready", "Degraded", "Stalled", "Suspended"]


class SentryModelStatus(Model):
    """What was observed."""

    observed_generation: Annotated[int, Field(json_schema_extra={"format": "int64"})] = -1
    phase: Phase | None = None
    stable: RevisionStatus | None = None
    canary: RevisionStatus | None = None
    revisions: Annotated[list[RevisionRecord], Field(max_length=64), list_map("revision")] | None = None
    rollout: RolloutStatus | None = None
    url: str | None = None
    replicas: Annotated[int, Field(json_schema_extra={"format": "int32"})] | None = None
    """Pods that serve."""
    ready_replicas: Annotated[int, Field(json_schema_extra={"format": "int32"})] | None = None
    selector: str | None = None
    verification: VerificationStatus | None = None
    last_decision: Decision | None = None
    conditions: Annotated[list[Condition], Field(max_length=32), list_map("type")] | None = None
