"""GPUs of pods, by what the pods' nodes tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sentinel_operator.core.gpu.join import STALE, PodGpu, judged, pod_gpus
from tests.unit.core.gpu.scenes import FATAL, XID, gpu, node, on

NOW = datetime(2025, 3, 1, 12, tzinfo=UTC)


def pod(name: str, *, on_node: str = "n1", uid: str = "") -> dict[str, Any]:
    return {
        "metadata": {"namespace": "team-a", "name": name, "uid": uid or f"uid-{name}"},
        "spec": {"nodeName": on_node},
    }


def joined(*devices: dict[str, Any], pods: tuple[dict[str, Any], ...] = (pod("a"),), age: float = 0) -> list[PodGpu]:
    told = node(*devices, at=NOW - timedelta(seconds=age))
    return list(pod_gpus(pods, {"n1": told}, now=NOW))


def test_two_pods_on_one_gpu_are_told_apart():
    shared = gpu(
        "GPU-1",
        on("a", utilizationPercent=30, memoryUsedBytes=100),
        on("b", utilizationPercent=60, memoryUsedBytes=200),
        utilizationPercent=90,
    )
    first, second = joined(shared, pods=(pod("a"), pod("b")))
    assert (first.pod, first.utilization, first.memory_used) == ("a", 30, 100)
    assert (second.pod, second.utilization, second.memory_used) == ("b", 60, 200)


def test_where_nvml_tells_nothing_of_processes_the_device_speaks_for_its_pod():
    (found,) = joined(gpu("GPU-1", on("a"), utilizationPercent=90))
    assert (found.utilization, found.memory_used) == (90, None)


def test_a_part_of_a_device_is_named_and_as_well_as_the_whole():
    part = {"uuid": "MIG-1", "pods": [on("a", memoryUsedBytes=5)]}
    (found,) = joined(gpu("GPU-1", **FATAL, mig=[part], lastXid=XID))
    assert (found.uuid, found.health, found.xid, found.memory_used) == ("MIG-1", "Failed", 79, 5)


def test_a_namesake_that_was_there_before_is_another_pod():
    assert joined(gpu("GPU-1", on("a", uid="uid-former"))) == []
    assert len(joined(gpu("GPU-1", on("a", uid="uid-a")))) == 1
    assert joined(gpu("GPU-1", {**on("a"), "namespace": "team-b"})) == []


def test_a_pod_of_another_node_is_not_looked_for_there():
    assert joined(gpu("GPU-1", on("a")), pods=(pod("a", on_node="n2"),)) == []


def test_what_is_too_old_says_nothing_of_now():
    failed = gpu("GPU-1", on("a"), **FATAL)
    (fresh,) = joined(failed, age=STALE.total_seconds() - 1)
    (stale,) = joined(failed, age=STALE.total_seconds() + 1)
    assert (fresh.health, stale.health, stale.reasons) == ("Failed", "Unknown", ("Stale",))


def test_only_what_matters_counts_as_a_difference():
    def told(**more: Any) -> object:
        return judged(node(gpu("GPU-1", on("a"), **more), at=NOW))

    assert told(utilizationPercent=10, memoryUsedBytes=1) == told(utilizationPercent=90, memoryUsedBytes=2)
    assert told() != told(**FATAL)
    assert told() != told(throttleReasons=["SwThermalSlowdown"])
    assert told() != told(ecc={"corrected": 0, "uncorrected": 1})
    assert told() != told(lastXid=XID)
    assert told() != judged(node(gpu("GPU-1", on("b")), at=NOW))
