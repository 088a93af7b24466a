"""What an Xid error means for the GPU that it befell.

Source: NVIDIA's Xid catalogue; which are a process's own fault is what NVIDIA's DRA driver ignores for health.
"""

from __future__ import annotations

from collections.abc import Mapping

from sentinel_operator.api.nodetelemetry import Severity

APPLICATION = frozenset({13, 31, 43, 45, 68, 109})
WARNING = frozenset({63, 92, 94})
"""The GPU contained it, and should be reset when nobody works on it."""

MEANING: Mapping[int, str] = {
    13: "graphics engine exception",
    31: "memory page fault",
    43: "stopped processing",
    45: "preemptive cleanup",
    48: "double-bit ECC error",
    61: "internal microcontroller breakpoint",
    62: "internal microcontroller halt",
    63: "row remapping",
    64: "row remapping failure",
    68: "video decoder exception",
    74: "NVLink error",
    79: "fallen off the bus",
    92: "high rate of single-bit ECC errors",
    94: "contained ECC error",
    95: "uncontained ECC error",
    109: "context switch timeout",
    119: "GSP RPC timeout",
    120: "GSP error",
}


def severity(code: int) -> Severity:
    """Tells how bad it is; what is not known is taken for fatal."""
    if code in APPLICATION:
        return "Application"
    return "Warning" if code in WARNING else "Fatal"


def meaning(code: int) -> str:
    """Says it in words, `Xid 79 (fallen off the bus)`."""
    return f"Xid {code} ({MEANING[code]})" if code in MEANING else f"Xid {code}"
