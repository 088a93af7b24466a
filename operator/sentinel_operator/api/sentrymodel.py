"""SentryModel: a model served, and every new version delivered safely."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from sentinel_operator.api.analysis import AnalysisStatus
from sentinel_operator.api.artifact import ServedArtifact
from sentinel_operator.api.base import Model
from sentinel_operator.api.conditions import Condition, Decision
from sentinel_operator.api.fields import (
    AnnotationMap,
    ImageName,
    Name,
    OpenObject,
    ShortText,
    between,
    list_atomic,
    list_map,
    list_set,
    open_items,
    relative_path,
)
from sentinel_operator.api.nodetelemetry import Health
from sentinel_operator.api.pod import (
    Access,
    ChildLabels,
    Disruption,
    Pod,
)
from sentinel_operator.api.rollout import ROLLOUT_SPEC_RULES, RevisionVerdict, RolloutProgress, RolloutSpec
from sentinel_operator.api.rules import CEL, exactly_one, matching, required_when, rules

Task = Literal["TextClassification", "TabularClassification", "Embedding", "Generic"]
Dtype = Literal["float32", "float64", "int32", "int64", "bool", "string"]


# ---------------------------------------------------------------------------------------------- the schema


class Feature(Model):
    """One named input."""

    name: Annotated[str, Field(min_length=1, max_length=128)]
    dtype: Dtype = "float32"


LabelPolicies = dict[str, dict[str, str]]


class Schema(Model):
    """What goes in and what comes out. A model that disagrees is refused before it gets traffic."""

    task: Task = "Generic"
    features: Annotated[list[Feature], Field(min_length=1, max_length=1024), list_atomic()] | None = None
    """Inputs in the model's order (TabularClassification)."""
    labels: Annotated[list[ShortText], Field(min_length=1, max_length=4096), list_atomic()] | None = None
    """Classes in the model's order."""
    tokenizer: Annotated[str, Field(max_length=256), relative_path()] = "tokenizer.json"
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
    required_when("features", "task", "TabularClassification"),
    required_when("labels", "task", "TextClassification", "TabularClassification"),
)


# ---------------------------------------------------------------------------------------------- running it


class BatchingSpec(Model):
    """Requests that arrive together run together. maxSize 1 turns it off, where outputs must be bit-stable."""

    max_size: Annotated[int, Field(ge=1, le=1024)] = 32
    max_delay: Annotated[str, Field(max_length=32), between("1ms", "1s")] = "5ms"


class Gpu(Model):
    """GPUs of each pod."""

    count: Annotated[int, Field(ge=1, le=64)] = 1
    resource_name: Annotated[
        str,
        Field(min_length=3, max_length=253),
        rules(
            matching(
                r"^[a-z0-9.-]+/[A-Za-z0-9._-]+$", "must be the name of an extended resource, such as nvidia.com/gpu"
            )
        ),
    ] = "nvidia.com/gpu"


class Runtime(Model):
    """How the model runs."""

    engine: Literal["OnnxRuntime"] = "OnnxRuntime"
    image: ImageName | None = None
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
    CEL(
        rule="self.min <= self.max",
        message="must not be greater than max",
        holds=lambda value: value.min <= value.max,
        field="min",
    )
)
DISRUPTION_RULES = rules(exactly_one("minAvailable", "maxUnavailable"))


class ServiceSpec(Model):
    """The Service before the pods."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = "ClusterIP"
    annotations: AnnotationMap | None = None


class ParentRef(Model):
    """A Gateway, as in an HTTPRoute."""

    name: Name
    namespace: Name | None = None
    section_name: Name | None = None


Hostname = Annotated[
    str,
    Field(min_length=1, max_length=253),
    rules(
        matching(
            r"^([*][.])?[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
            "must be a host name, such as models.example.org or *.example.org",
        )
    ),
]


class Gateway(Model):
    """The HTTPRoute before the Service."""

    parent_refs: Annotated[list[ParentRef], Field(min_length=1, max_length=8), list_atomic()]
    hostnames: Annotated[list[Hostname], Field(max_length=16), list_set()] | None = None
    path_prefix: Annotated[
        str, Field(min_length=1, max_length=256), rules(matching(r"^/[^?#]*$", "must start with '/'"))
    ] = "/"


class Routing(Model):
    """How requests reach the pods."""

    provider: Literal["Service", "Gateway"] = "Service"
    gateway: Gateway | None = None


ROUTING_RULES = rules(required_when("gateway", "provider", "Gateway"))


class SentryModelSpec(Model):
    """A model served, and every new version delivered safely."""

    model: ServedArtifact
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
    rollout: Annotated[RolloutSpec, ROLLOUT_SPEC_RULES] = RolloutSpec()
    labels: ChildLabels | None = None
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
    """Percent of the requests, as observed."""


class RevisionRecord(Model):
    """One entry of the history."""

    revision: str
    version: str = ""
    model_digest: str = ""
    created_at: str = ""
    verdict: RevisionVerdict = "Pending"
    attempt: Annotated[int, Field(json_schema_extra={"format": "int32"})] = 0
    """How often it has been delivered; spec.rollout.retry names the next one."""
    reason: Annotated[str, Field(max_length=128)] = ""
    message: Annotated[str, Field(max_length=1024)] = ""
    decided_at: str = ""
    promoted_at: str = ""


class RolloutStatus(RolloutProgress):
    """Where the delivery of the newest revision stands."""

    analysis: AnalysisStatus | None = None


class VerificationStatus(Model):
    """What the pods verified of the artifact they serve."""

    digest: str = ""
    authority: str = ""
    identity: str = ""
    at: str = ""


class GpuStatus(Model):
    """A GPU, or a part of one, that a pod of the model is on, as the agent of its node sees it."""

    uuid: str
    node: str
    pod: str
    health: Health
    reasons: Annotated[list[str], Field(max_length=16), list_atomic()] | None = None
    utilization_percent: Annotated[int, Field(ge=0)] | None = None
    """In steps of 10."""
    memory_used_bytes: Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})] | None = None
    """In steps of 256 MiB."""
    throttled: bool = False
    ecc_errors: Annotated[int, Field(ge=0)] | None = None
    """Uncorrected ones."""
    last_xid: Annotated[int, Field(ge=0)] | None = None


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
    gpu: Annotated[list[GpuStatus], Field(max_length=64), list_atomic()] | None = None
    last_decision: Decision | None = None
    conditions: Annotated[list[Condition], Field(max_length=32), list_map("type")] | None = None
