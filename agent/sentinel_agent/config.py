"""Settings: a file (`--config`), and over it environment variables, `SENTINEL_` and the name in capitals."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

PREFIX = "SENTINEL_"
Seconds = Annotated[float, Field(gt=0, le=86400)]


class Settings(BaseModel):
    """Everything that is fixed for the life of the agent. Durations are in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    node: Annotated[str, Field(min_length=1, max_length=253)] = Field(default_factory=socket.gethostname)
    """Name of the node in the cluster."""
    listen: str = "0.0.0.0"  # noqa: S104 - Prometheus and the kubelet come from outside the pod
    port: Annotated[int, Field(ge=0, le=65535)] = 9400
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    gpu: Literal["auto", "required", "off"] = "auto"
    """required: a node without a working NVML is at fault; auto: only where GPUs have been seen on it."""
    interval: Annotated[float, Field(ge=0.05, le=60)] = 1.0
    """Between two samples."""
    slow_interval: Seconds = 10.0
    """Between two readings of what changes slowly: memory errors, links, which devices there are."""
    pods_interval: Seconds = 10.0
    """Between two readings of the pods' cgroups and of the kubelet."""
    hang_after: Seconds = 10.0
    """How long one call may take before its thread is given up."""
    fatal_hold: Annotated[float, Field(ge=0)] = 86400.0
    """How long a fatal Xid keeps a GPU Failed where it neither vanished and returned nor the node was rebooted."""
    forget: Annotated[float, Field(ge=0)] = 86400.0
    """How long a GPU that vanished is told of."""

    proc: Path = Path("/proc")
    sys: Path = Path("/sys")
    cgroups: Path = Path("/sys/fs/cgroup")
    container_logs: Path = Path("/var/log/containers")
    kubelet_socket: Path = Path("/var/lib/kubelet/pod-resources/kubelet.sock")
    disks: tuple[Path, ...] = (Path("/"),)
    state: Path | None = Path("/var/lib/sentinel-agent/state.json")
    """Where counters outlive the agent; without it they begin anew with each start."""

    report: bool = True
    """Write the node's NodeTelemetry."""
    kubeconfig: Path | None = None
    """Without one, the pod's service account."""
    heartbeat: Annotated[float, Field(ge=1, le=600)] = 30.0
    """The longest between two writes."""
    least_gap: Annotated[float, Field(ge=0, le=600)] = 3.0
    """The shortest between two writes."""
    node_condition: bool = False
    """Write the condition SentinelGPUHealthy of the Node, and its label sentinel.dev/gpu-health."""
    taint: Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"] = ""
    """Effect of the taint that a Node with a Failed GPU gets; empty for none."""

    @field_validator("disks", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return [each for each in value.split(",") if each] if isinstance(value, str) else value

    @field_validator("state", "kubeconfig", mode="before")
    @classmethod
    def _absent(cls, value: Any) -> Any:
        return None if value == "" else value


class SettingsError(Exception):
    """A setting is wrong; the message names it."""


def load(path: Path | None, environment: Mapping[str, str]) -> Settings:
    """Gives the settings; raises SettingsError that names each that is wrong."""
    try:
        given = yaml.safe_load(path.read_text()) if path else {}
    except (OSError, yaml.YAMLError) as error:
        raise SettingsError(f"{path}: {error}") from error
    if not isinstance(given or {}, dict):
        raise SettingsError(f"{path}: must be a mapping of settings")
    told = {
        name: environment[PREFIX + name.upper()]
        for name in Settings.model_fields
        if PREFIX + name.upper() in environment
    }
    try:
        return Settings.model_validate({**(given or {}), **told})
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise SettingsError(wrong) from error
