"""NodeTelemetry: what the agent of a node sees there; one object a node, named like it, written by nobody else."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sentinel_operator.api.base import Model
from sentinel_operator.api.conditions import Condition
from sentinel_operator.api.fields import Name, list_atomic, list_map

GPU_HEALTHY = "GPUHealthy"
"""Condition of a NodeTelemetry: no GPU of the node is at fault, and NVML answers."""
NODE_CONDITION = "SentinelGPUHealthy"
"""Condition of the Node itself, and prefix of the taint's key."""
NODE_HEALTH_LABEL = "sentinel.dev/gpu-health"
"""Label of a Node one of whose GPUs is Degraded or Failed: the worst of them. Other Nodes bear none."""

MAX_DEVICES = 64
MAX_PODS = 128

Health = Literal["Healthy", "Degraded", "Failed", "Unknown"]
Severity = Literal["Application", "Warning", "Fatal"]
Word = Annotated[str, Field(max_length=128)]
Whole = Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})]
Percent = Annotated[int, Field(ge=0, le=100)]
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class NodeTelemetrySpec(Model):
    """Which node it is about."""

    node_name: Name
    """Name of the node, which is the object's own."""


class DevicePod(Model):
    """A container that was given the device, or that has processes on it."""

    namespace: Word
    name: Annotated[str, Field(max_length=253)]
    uid: Word = ""
    """Empty where the kubelet told of the container, and no process of it has been seen."""
    container: Word = ""
    utilization_percent: Percent | None = None
    """Of the device, by this container's processes; absent where NVML does not tell."""
    memory_used_bytes: Whole | None = None


class LastXid(Model):
    """The newest Xid error that the driver reported of a device."""

    code: Annotated[int, Field(ge=0)]
    severity: Severity
    """Application: a process did wrong, and the device is fine. Fatal: the device is not to be worked with."""
    at: Moment
    count: Annotated[int, Field(ge=0)]
    """Xid errors of the device since the agent first saw it, of any code; it never goes back."""
    pods: Annotated[list[Annotated[str, Field(max_length=317)]], Field(max_length=MAX_PODS), list_atomic()] = Field(
        default_factory=list
    )
    """Pods on the device at that time, as `namespace/name`."""


class Ecc(Model):
    """Memory errors since the agent first saw the device; they never go back."""

    corrected: Whole
    uncorrected: Whole


class MigDevice(Model):
    """One part of a device that is cut up by MIG."""

    uuid: Word
    profile: Word = ""
    gpu_instance: Annotated[int, Field(ge=0)] | None = None
    memory_used_bytes: Whole | None = None
    memory_total_bytes: Whole | None = None
    pods: Annotated[list[DevicePod], Field(max_length=MAX_PODS), list_atomic()] = Field(default_factory=list)


class Device(Model):
    """One GPU. What NVML does not tell of it is absent."""

    uuid: Word
    index: Annotated[int, Field(ge=0)]
    name: Word = ""
    pci_bus_id: Word = ""
    health: Health
    reasons: Annotated[list[Word], Field(max_length=16), list_atomic()] = Field(default_factory=list)
    """Why it is not Healthy: FatalXid, GpuLost, Vanished, RowRemapFailure, UncorrectableEcc, HardwareSlowdown,
    RowRemapPending, NotRead."""
    utilization_percent: Percent | None = None
    """Mean since the object was last written."""
    memory_used_bytes: Whole | None = None
    memory_total_bytes: Whole | None = None
    power_watts: Annotated[int, Field(ge=0)] | None = None
    temperature_celsius: int | None = None
    throttle_reasons: Annotated[list[Word], Field(max_length=16), list_atomic()] = Field(default_factory=list)
    """Why its clocks are lower than they could be, being idle apart."""
    ecc: Ecc | None = None
    last_xid: LastXid | None = None
    mig: Annotated[list[MigDevice], Field(max_length=MAX_DEVICES), list_map("uuid")] = Field(default_factory=list)
    pods: Annotated[list[DevicePod], Field(max_length=MAX_PODS), list_atomic()] = Field(default_factory=list)


class Nvml(Model):
    """How far the driver's library answers."""

    state: Word
    """Working, LibraryNotFound, DriverNotLoaded, Hanging, or NVML's name of the error."""
    driver_version: Word = ""
    missing: Annotated[list[Word], Field(max_length=64), list_atomic()] = Field(default_factory=list)
    """Functions that the library lacks: what they tell is absent."""
    hanging: Word = ""
    """The call that has not come back."""


class Host(Model):
    """What the node itself is doing."""

    cpu_cores: Annotated[int, Field(ge=0)]
    cpu_utilization_percent: Percent
    memory_used_bytes: Whole
    memory_total_bytes: Whole


class NodeTelemetryStatus(Model):
    """What the agent saw."""

    observed_generation: Annotated[int, Field(json_schema_extra={"format": "int64"})] = -1
    observed_at: Moment | None = None
    """When it was seen. Written at the latest every half minute: a much older one is of a node, or an agent, that is
    gone, and says nothing of now."""
    gpus: Annotated[int, Field(ge=0)] | None = None
    nvml: Nvml | None = None
    devices: Annotated[list[Device], Field(max_length=MAX_DEVICES), list_map("uuid")] = Field(default_factory=list)
    host: Host | None = None
    conditions: Annotated[list[Condition], Field(max_length=32), list_map("type")] | None = None
