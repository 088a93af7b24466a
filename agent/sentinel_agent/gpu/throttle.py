"""Why a GPU's clocks are lower than they could be, from NVML's bits to names."""

from __future__ import annotations

IDLE = "Idle"
NAMES = (
    (0x1, IDLE),
    (0x2, "ApplicationsClocks"),
    (0x4, "SwPowerCap"),
    (0x8, "HwSlowdown"),
    (0x10, "SyncBoost"),
    (0x20, "SwThermalSlowdown"),
    (0x40, "HwThermalSlowdown"),
    (0x80, "HwPowerBrake"),
    (0x100, "DisplayClocks"),
)
HARDWARE = frozenset({"HwSlowdown", "HwThermalSlowdown", "HwPowerBrake"})
"""Those by which the hardware protects itself: something is wrong with cooling or power."""


def reasons(bits: int) -> tuple[str, ...]:
    """Gives the names; being idle is no reason to be told of."""
    return tuple(name for bit, name in NAMES if bits & bit and name != IDLE)
