"""SentinelConfig: the settings that a cluster's administrator declares; one object, `default`, optional."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sentinel_operator.api.base import Model
from sentinel_operator.api.bridge import BRIDGE_RULES, Bridge
from sentinel_operator.api.cloudevents import CLOUD_EVENTS_RULES, CloudEvents
from sentinel_operator.api.conditions import Condition
from sentinel_operator.api.fields import (
    LABEL_KEY,
    ImageName,
    LabelMap,
    between,
    late_default,
    list_atomic,
    list_map,
)
from sentinel_operator.api.rules import matching, rules
from sentinel_operator.api.servicelevels import SERVICE_LEVELS_RULES, ServiceLevels

NamespaceName = Annotated[
    str,
    Field(max_length=63),
    rules(matching(r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$", "must be the name of a namespace, or empty for none")),
]


class Images(Model):
    """Images of the pods that the operator makes, where a resource names none."""

    fetch: Annotated[ImageName, late_default()] = "sentinel.dev/fetch:dev"
    """Absent: the image of the operator's own release."""
    model_server: Annotated[ImageName, late_default()] = "sentinel.dev/model-server:dev"
    """Absent: the image of the operator's own release."""
    scan: Annotated[ImageName, late_default()] = "sentinel.dev/scan:dev"
    """Absent: the image of the operator's own release."""


Slots = Annotated[int, Field(ge=0, le=10_000)]
LabelKey = Annotated[
    str,
    Field(min_length=1, max_length=317),
    rules(matching(LABEL_KEY, "must be the key of a label, such as nvidia.com/gpu.product")),
]


class ChangeBudget(Model):
    """How many rollouts may be under way at once. Absent: any number. 0 is a freeze: none begins, those under way go
    on. First rollouts and returns to an earlier revision by spec.rollout.rollbackTo or abort never wait."""

    max_concurrent_rollouts: Slots | None = None
    """In the whole cluster."""
    per_namespace: Slots | None = None
    """In each namespace."""
    per_gpu_class: Slots | None = None
    """Of what asks for GPUs of the same class."""
    gpu_class_label: LabelKey = "nvidia.com/gpu.product"
    """Node label that tells classes of GPUs apart: the class is what the pods' nodeSelector says of it, and otherwise
    the name of the resource."""


Price = Annotated[float, Field(ge=0, le=1_000_000)]


class Rate(Model):
    """What an hour costs on the nodes that bear the labels."""

    name: Annotated[str, Field(min_length=1, max_length=63)]
    node_selector: LabelMap | None = None
    """Absent: every node. For example nvidia.com/gpu.product: NVIDIA-H100-80GB-HBM3."""
    cpu_hour: Price = 0.0
    memory_gib_hour: Price = 0.0
    gpu_hour: Price | None = None
    """Absent: pods that ask for GPUs have no known price there."""


class Prices(Model):
    """What pods cost by what they request, so that a ScanJob can tell what its documents cost and an ActionPolicy
    what a change would."""

    cpu_hour: Price = 0.0
    """Of one CPU for an hour."""
    memory_gib_hour: Price = 0.0
    """Of 1Gi of memory for an hour."""
    gpu_hour: Price | None = None
    """Of one GPU for an hour. Absent: pods that ask for GPUs have no known price."""
    rates: Annotated[list[Rate], Field(min_length=1, max_length=64), list_map("name")] | None = None
    """Prices of certain nodes, for ActionPolicies: of those whose selector a node matches, the first one counts in
    place of the above."""
    gpu_resources: (
        Annotated[list[Annotated[str, Field(min_length=1, max_length=253)]], Field(max_length=16), list_atomic()] | None
    ) = None
    """Names of resources that are GPUs. Absent: nvidia.com/gpu."""
    currency: Annotated[str, Field(min_length=1, max_length=16)] = "USD"


class PlanRetention(Model):
    """How long finished ActionPlans are kept. None goes before it is an hour old: rates are counted by them."""

    max_finished: Annotated[int, Field(ge=0, le=100_000)] = 1000
    """In the whole cluster; the oldest go first."""
    max_age: Annotated[str, Field(max_length=32), between("1h", "9999h")] = "168h"


class SentinelConfigSpec(Model):
    """The operator's settings; a change applies without a restart."""

    cluster_id: Annotated[str, Field(max_length=253)] = ""
    """Name of this cluster among others."""
    images: Images = Images()
    change_budget: ChangeBudget = ChangeBudget()
    prices: Prices | None = None
    """Absent: nothing is said of costs."""
    plan_retention: PlanRetention = PlanRetention()
    service_levels: Annotated[ServiceLevels, SERVICE_LEVELS_RULES] = ServiceLevels()
    cloud_events: Annotated[CloudEvents, CLOUD_EVENTS_RULES] | None = None
    """Absent: the transitions of ActionPlans are logged, and sent nowhere."""
    bridge: Annotated[Bridge, BRIDGE_RULES] | None = None
    """Absent: no brain is told anything, nor asked. Needs clusterId."""
    operator_namespace: NamespaceName = "sentinel-system"
    """Namespace whose pods the children's NetworkPolicies admit to the metrics port."""
    monitoring_namespace: NamespaceName = ""
    """A further namespace admitted to the metrics port (Prometheus)."""


class SentinelConfigStatus(Model):
    """What was observed."""

    observed_generation: Annotated[int, Field(json_schema_extra={"format": "int64"})] = -1
    conditions: Annotated[list[Condition], Field(max_length=32), list_map("type")] | None = None
