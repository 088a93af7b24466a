from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sentinel_operator.cli.gpus import gpu_lines
from tests.unit.cli.recording import printed

NOW = datetime(2025, 3, 1, 12, tzinfo=UTC)


def node(name: str, *devices: dict[str, Any], at: str = "2025-03-01T11:59:50Z", **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "status": {"observedAt": at, "devices": list(devices), **more}}


def device(index: int, **more: Any) -> dict[str, Any]:
    return {"uuid": f"GPU-{index}", "index": index, "name": "NVIDIA H100", "health": "Healthy", **more}


def test_each_gpu_has_a_row_with_a_bar_and_each_pod_on_it_is_named() -> None:
    busy = device(
        0,
        utilizationPercent=78,
        memoryUsedBytes=60 * 1024**3,
        memoryTotalBytes=80 * 1024**3,
        temperatureCelsius=64,
        powerWatts=512,
        pods=[
            {"namespace": "team-a", "name": "fraud-1", "utilizationPercent": 45},
            {"namespace": "team-b", "name": "spam-1"},
        ],
    )
    lines = printed(gpu_lines([node("n1", busy)], now=NOW)).splitlines()
    assert lines[0].split() == ["NODE", "GPU", "NAME", "HEALTH", "BUSY", "MEMORY", "°C", "WATTS", "PODS"]
    assert "████████░░  78 %" in lines[1]
    assert "60.0 of 80 GiB   64   512     team-a/fraud-1 (45 %)" in lines[1]
    assert lines[2].strip() == "team-b/spam-1"


def test_what_is_wrong_is_named() -> None:
    broken = device(
        1,
        health="Failed",
        reasons=["FatalXid"],
        lastXid={"code": 79, "severity": "Fatal", "at": "2025-03-01T11:00:00Z", "count": 1},
    )
    hot = device(0, health="Degraded", reasons=["HardwareSlowdown"], throttleReasons=["HwThermalSlowdown"])
    lines = printed(gpu_lines([node("n1", broken, hot)], now=NOW)).splitlines()
    assert "Degraded (HardwareSlowdown, HwThermalSlowdown)" in lines[1]
    assert "Failed (Xid 79)" in lines[2]


def test_a_node_without_gpus_or_without_a_word_says_so() -> None:
    bare = node("cpu", nvml={"state": "LibraryNotFound"})
    silent = node("gone", device(0), at="2025-03-01T10:00:00Z")
    nonsense = {"metadata": {"name": "odd"}, "status": {"devices": 3}}
    lines = printed(gpu_lines([silent, bare, nonsense], now=NOW)).splitlines()
    assert "no GPU (NVML: LibraryNotFound)" in lines[1]
    assert "silent for 120m" in lines[2]
    assert "Healthy" not in lines[2]
    assert "unreadable" in lines[3]


def test_names_cannot_steer_the_terminal() -> None:
    evil = device(0, name="GPU\x1b[2J", pods=[{"namespace": "a", "name": "b\x1b[31m"}])
    assert "\x1b" not in printed(gpu_lines([node("n1", evil)], now=NOW))
