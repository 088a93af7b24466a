"""How well a GPU is, and a node's GPUs together."""

from __future__ import annotations

from typing import Any

import pytest

from sentinel_agent.gpu.health import Verdict, judge, overall
from sentinel_agent.gpu.reading import Identity, Library, Reading
from sentinel_agent.gpu.throttle import reasons
from sentinel_agent.gpu.xid import severity
from sentinel_agent.ledger import Befallen

NOW = 10_000.0


def reading(**fields: Any) -> Reading:
    return Reading(identity=Identity(uuid="GPU-0", index=0), **fields)


def fatal(at: float) -> Befallen:
    return Befallen(code=79, at=at, count=1, fatal_code=79, fatal_at=at)


@pytest.mark.parametrize(
    ("seen", "throttle", "befallen", "fresh", "expected"),
    [
        (reading(), (), None, True, Verdict("Healthy")),
        (reading(), (), None, False, Verdict("Unknown", ("NotRead",))),
        (reading(presence="Lost"), (), None, True, Verdict("Failed", ("GpuLost",))),
        (reading(presence="Vanished"), (), None, False, Verdict("Failed", ("Vanished",))),
        (reading(), (), fatal(NOW - 10), True, Verdict("Failed", ("FatalXid",))),
        (reading(), (), fatal(NOW - 10), False, Verdict("Failed", ("FatalXid",))),
        (reading(), (), fatal(NOW - 3601), True, Verdict("Healthy")),
        (reading(), (), Befallen(code=13, at=NOW), True, Verdict("Healthy")),
        (reading(gauges={"remap_failed": 1}), (), None, True, Verdict("Failed", ("RowRemapFailure",))),
        (reading(gauges={"remap_pending": 1}), (), None, True, Verdict("Degraded", ("RowRemapPending",))),
        (reading(counters={"ecc_uncorrected_volatile": 2}), (), None, True, Verdict("Degraded", ("UncorrectableEcc",))),
        (reading(), ("HwThermalSlowdown",), None, True, Verdict("Degraded", ("HardwareSlowdown",))),
        (reading(), ("SwPowerCap",), None, True, Verdict("Healthy")),
        (
            reading(presence="Lost"),
            ("HwSlowdown",),
            fatal(NOW),
            True,
            Verdict("Failed", ("GpuLost", "FatalXid", "HardwareSlowdown")),
        ),
    ],
    ids=str,
)
def test_one_gpu(seen: Reading, throttle: tuple[str, ...], befallen: Befallen | None, fresh: bool, expected: Verdict):
    assert judge(seen, fresh=fresh, throttle=throttle, befallen=befallen, now=NOW, fatal_hold=3600) == expected


@pytest.mark.parametrize(
    ("library", "healths", "expected", "status", "reason", "failed"),
    [
        (Library(), (), False, "Unknown", "Starting", False),
        (Library(state="LibraryNotFound"), (), False, "True", "NoGPU", False),
        (Library(state="LibraryNotFound"), (), True, "False", "LibraryNotFound", True),
        (Library(state="DriverNotLoaded"), ("Unknown",), True, "False", "DriverNotLoaded", True),
        (Library(state="LibRmVersionMismatch"), (), False, "False", "LibRmVersionMismatch", True),
        (Library(state="Working"), (), False, "True", "NoGPU", False),
        (Library(state="Working"), (), True, "False", "NoGPU", True),
        (Library(state="Working"), ("Healthy", "Healthy"), True, "True", "AllHealthy", False),
        (Library(state="Working"), ("Healthy", "Degraded"), True, "False", "GPUDegraded", False),
        (Library(state="Working"), ("Degraded", "Failed"), True, "False", "GPUFailed", True),
        (Library(state="Working"), ("Healthy", "Unknown"), True, "Unknown", "NotRead", False),
        (Library(state="Working", unidentified=1), ("Healthy",), True, "False", "GPUFailed", True),
        (Library(state="Hanging", hanging="nvmlDeviceGetName"), ("Healthy",), True, "False", "NvmlHanging", True),
    ],
    ids=str,
)
def test_all_gpus(library: Library, healths: tuple[Any, ...], expected: bool, status: str, reason: str, failed: bool):
    devices = [(reading(), Verdict(health), None) for health in healths]
    found = overall(library, devices, expected=expected)
    assert (found.status, found.reason, found.failed) == (status, reason, failed)
    assert found.message


@pytest.mark.parametrize(
    ("code", "expected"),
    [(13, "Application"), (31, "Application"), (94, "Warning"), (48, "Fatal"), (79, "Fatal"), (99999, "Fatal")],
)
def test_how_bad_an_xid_is(code: int, expected: str):
    assert severity(code) == expected


def test_being_idle_is_no_throttling():
    assert reasons(0x1) == ()
    assert reasons(0x1 | 0x4 | 0x40) == ("SwPowerCap", "HwThermalSlowdown")
