"""When the object is written: at once for what matters, by and by for what only drifts, and every half minute.

A thousand nodes must stay under forty writes a second in all. The half minute alone makes 33; so what drifts, such as
utilisation, may only bring the next write forward, and what matters has an allowance that a GPU which flickers between
two states uses up.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from sentinel_operator.api.nodetelemetry import NodeTelemetryStatus

_BANDS = (10, 40, 70, 90)
_DRIFT_GAP, _DRIFT_EVERY = 20.0, 120.0
_BURST, _REFILL = 5.0, 20.0
_JITTER = 0.1


@dataclass(frozen=True, slots=True)
class Gist:
    """What of a status is worth a write: `urgent` at once, `drifting` when it is time."""

    urgent: Hashable
    drifting: Hashable


def gist(status: NodeTelemetryStatus) -> Gist:
    """Gives what of a status is worth a write."""
    devices = tuple(
        (
            device.uuid,
            device.health,
            tuple(device.reasons),
            tuple(device.throttle_reasons),
            device.last_xid.count if device.last_xid else 0,
            tuple((pod.namespace, pod.name, pod.container) for pod in device.pods),
            tuple((part.uuid, tuple((pod.namespace, pod.name) for pod in part.pods)) for part in device.mig),
        )
        for device in status.devices
    )
    conditions = tuple((each.type, each.status, each.reason) for each in status.conditions or ())
    nvml = status.nvml.model_dump_json() if status.nvml else ""
    bands = tuple((device.uuid, _band(device.utilization_percent)) for device in status.devices)
    return Gist((devices, conditions, nvml), bands)


def _band(percent: int | None) -> int:
    return -1 if percent is None else sum(percent >= bound for bound in _BANDS)


class Pace:
    """Decides whether to write now. Times are monotonic; `spread` is a random number from 0 to 1 a write."""

    def __init__(self, *, heartbeat: float, least_gap: float, spread: float) -> None:
        self._heartbeat, self._least_gap = heartbeat, least_gap
        self._allowance = _BURST
        self._written_at = self._drifted_at = float("-inf")
        self._refilled_at: float | None = None
        self._last: Gist | None = None
        self._due_after = heartbeat * spread  # the second write: agents that begin together fall out of step

    def due(self, now: float, current: Gist) -> bool:
        """Tells whether it is time."""
        self._refill(now)
        if self._last is None:
            return True
        since = now - self._written_at
        if since >= self._due_after:
            return True
        if since < self._least_gap:
            return False
        if current.urgent != self._last.urgent:
            return self._allowance >= 1.0
        drifted = current.drifting != self._last.drifting
        return drifted and since >= _DRIFT_GAP and now - self._drifted_at >= _DRIFT_EVERY

    def written(self, now: float, what: Gist, *, spread: float) -> None:
        """Takes that it was written."""
        if self._last is not None and now - self._written_at < self._due_after:
            if what.urgent != self._last.urgent:
                self._allowance -= 1.0
            else:
                self._drifted_at = now
        if self._last is not None:
            # Never later than the half minute: an older status is taken for one of a node that is gone.
            self._due_after = self._heartbeat * (1 - _JITTER * spread)
        self._last, self._written_at = what, now

    def _refill(self, now: float) -> None:
        if self._refilled_at is not None:
            self._allowance = min(_BURST, self._allowance + (now - self._refilled_at) / _REFILL)
        self._refilled_at = now
