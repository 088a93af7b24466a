"""The conditions of every kind: Kubernetes' own shape, kstatus' meaning."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sentinel_operator.api.base import Model

READY = "Ready"
RECONCILING = "Reconciling"
STALLED = "Stalled"

Status = Literal["True", "False", "Unknown"]


class Condition(Model):
    """One aspect of an object's state, as last observed."""

    type: Annotated[str, Field(min_length=1, max_length=316)]
    status: Status
    observed_generation: Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})] = 0
    last_transition_time: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    reason: Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")]
    message: Annotated[str, Field(max_length=32768)] = ""


class Decision(Model):
    """Why the last change was made."""

    at: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    rule: Annotated[str, Field(max_length=128)]
    inputs: Annotated[dict[str, Annotated[str, Field(max_length=256)]], Field(max_length=32)] = Field(
        default_factory=dict
    )
    result: Annotated[str, Field(max_length=1024)]
