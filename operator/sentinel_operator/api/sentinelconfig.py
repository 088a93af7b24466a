"""SentinelConfig: the settings that a cluster's administrator declares; one object, `default`, optional."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sentinel_operator.api.base import Model
from sentinel_operator.api.conditions import Condition
from sentinel_operator.api.fields import ImageName, late_default, list_map
from sentinel_operator.api.rules import matching, rules

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


class SentinelConfigSpec(Model):
    """The operator's settings; a change applies without a restart."""

    cluster_id: Annotated[str, Field(max_length=253)] = ""
    """Name of this cluster among others."""
    images: Images = Images()
    operator_namespace: NamespaceName = "sentinel-system"
    """Namespace whose pods the children's NetworkPolicies admit to the metrics port."""
    monitoring_namespace: NamespaceName = ""
    """A further namespace admitted to the metrics port (Prometheus)."""


class SentinelConfigStatus(Model):
    """What was observed."""

    observed_generation: Annotated[int, Field(json_schema_extra={"format": "int64"})] = -1
    conditions: Annotated[list[Condition], Field(max_length=32), list_map("type")] | None = None
