"""The GPUs that a model's pods are on: what the status and the events tell of them."""

from __future__ import annotations

from collections.abc import Iterable

from sentinel_operator.api.sentrymodel import GpuStatus, SentryModelSpec
from sentinel_operator.core.analysis.health import Health, gpu_health
from sentinel_operator.core.conditions import Finding
from sentinel_operator.core.gpu.join import PodGpu, stepped_bytes, stepped_percent
from sentinel_operator.core.plan import Event
from sentinel_operator.core.sentrymodel.moving import Moves
from sentinel_operator.core.sentrymodel.observe import Observed

GPU_HEALTHY = "GPUHealthy"
GPU_FAILED = "GPUFailed"
MOST_TOLD = 64


def gpu_status(found: Iterable[PodGpu]) -> list[GpuStatus] | None:
    """Gives what the status tells. How busy they are is told in steps, so that it is not written all the time."""
    told = [
        GpuStatus(
            uuid=each.uuid,
            node=each.node,
            pod=each.pod,
            health=each.health,
            reasons=list(each.reasons) or None,
            utilization_percent=stepped_percent(each.utilization),
            memory_used_bytes=stepped_bytes(each.memory_used),
            throttled=each.throttled,
            ecc_errors=each.ecc_errors,
            last_xid=each.xid,
        )
        for each in found
    ]
    return told[:MOST_TOLD] or None


def gpu_findings(observed: Observed, spec: SentryModelSpec) -> tuple[Finding, ...]:
    """Gives the condition, where the model has GPUs or asks for some."""
    found = observed.gpus
    if not found and spec.runtime.gpu is None:
        return ()
    bad = [each for each in found if each.health in {"Failed", "Degraded"}]
    if bad:
        worst = min(bad, key=lambda each: (each.health != "Failed", each.pod))
        more = f", and {len(bad) - 1} more" if len(bad) > 1 else ""
        message = f"GPU {worst.uuid} of node {worst.node}, pod {worst.pod}: {worst.trouble}{more}"
        return (Finding(GPU_HEALTHY, "False", f"GPU{worst.health}", message),)
    unknown = [each for each in found if each.health == "Unknown"]
    if unknown or not found:
        running = any(pod.ready for pods in observed.pods.values() for pod in pods)
        message = "the agent of its node says nothing" if running else "no pod is on a GPU"
        return (Finding(GPU_HEALTHY, "Unknown", "NoTelemetry", message),)
    return (Finding(GPU_HEALTHY, "True", "GPUsHealthy", f"{len(found)} in use"),)


def revision_gpu_health(observed: Observed, revision: str) -> Health:
    """Gives the share of the GPUs of a revision's pods that are well, for its analysis."""
    names = {pod.name for pod in observed.pods.get(revision, ())}
    return gpu_health(each.health == "Healthy" for each in observed.gpus if each.pod in names and _is_known(each))


def gpu_events(observed: Observed, moved: Moves) -> tuple[Event, ...]:
    """Tells once of each GPU that has failed under a pod."""
    before = (observed.status.gpu or ()) if observed.status is not None else ()
    known = {(each.pod, each.uuid) for each in before if each.health == "Failed"}
    words = dict.fromkeys(moved.waiting, " and is moved once another one answers")
    words |= {each.ref.name: " and is moved" for each in moved.leaving}
    return tuple(
        Event(
            "Warning",
            GPU_FAILED,
            f"GPU {each.uuid} of node {each.node}: {each.trouble}; pod {each.pod} is on it{words.get(each.pod, '')}",
        )
        for each in observed.gpus
        if each.health == "Failed" and (each.pod, each.uuid) not in known
    )


def _is_known(each: PodGpu) -> bool:
    return each.health != "Unknown"
