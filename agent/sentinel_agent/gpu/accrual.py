"""What only adding up can tell of a GPU: how long it worked and was throttled, what its counters came to, resets."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from sentinel_agent.gpu.reading import Reading
from sentinel_agent.ledger import Ledger
from sentinel_agent.pods.ownership import Share

_PEAK_SECONDS = 60.0
_THROTTLE_SECONDS = 10.0
_SEE_EVERY = 60.0


class Accrual:
    """Takes the readings of GPUs, one after another; times are monotonic."""

    def __init__(self, ledger: Ledger, *, interval: float) -> None:
        self._ledger, self._interval = ledger, interval
        self._absent: set[str] = set()
        self._seen_at: dict[str, float] = {}
        self._throttled: dict[tuple[str, str], float] = {}
        self._peaks: dict[str, deque[tuple[float, float]]] = {}

    def absent(self, uuids: Iterable[str]) -> None:
        """Takes that these are not there: whoever comes back has been reset."""
        self._absent |= set(uuids)

    def take(self, reading: Reading, shares: Sequence[Share], *, at: float, step: float) -> None:
        """Takes a reading of one that is there; `step` is the time that it stands for."""
        uuid = reading.identity.uuid
        self._see(reading, at)
        for name, raw in reading.counters.items():
            self._ledger.observe(name, (uuid,), raw)
        for reason in reading.throttle:
            if at - self._throttled.get((uuid, reason), float("-inf")) > 2 * self._interval + step:
                self._ledger.add("throttle_events", (uuid, reason), 1)
            self._throttled[uuid, reason] = at
            self._ledger.add("throttle_seconds", (uuid, reason), step)
        utilization = reading.gauges.get("utilization")
        if utilization is not None:
            self._work(uuid, utilization, at, step)
        for share in shares:
            if share.utilization is not None:
                who = share.container
                labels = (uuid, who.namespace, who.pod, who.container)
                self._ledger.add("pod_busy_seconds", labels, share.utilization / 100 * step)

    def throttle(self, uuid: str, *, at: float) -> tuple[str, ...]:
        """Gives the reasons that lowered its clocks in the last seconds."""
        recent = (
            reason
            for (which, reason), seen in self._throttled.items()
            if which == uuid and at - seen < _THROTTLE_SECONDS
        )
        return tuple(sorted(recent))

    def peak(self, uuid: str) -> float | None:
        """Gives its busiest sample of the last minute."""
        return max((utilization for _, utilization in self._peaks.get(uuid, ())), default=None)

    def _see(self, reading: Reading, at: float) -> None:
        uuid = reading.identity.uuid
        if uuid in self._absent:
            self._absent.discard(uuid)
            self._seen_at.pop(uuid, None)
            self._ledger.was_reset(uuid)
        if at - self._seen_at.get(uuid, float("-inf")) > _SEE_EVERY:
            self._seen_at[uuid] = at
            self._ledger.see(reading.identity)

    def _work(self, uuid: str, utilization: float, at: float, step: float) -> None:
        self._ledger.add("busy_seconds", (uuid,), utilization / 100 * step)
        peaks = self._peaks.setdefault(uuid, deque())
        peaks.append((at, utilization))
        while at - peaks[0][0] > _PEAK_SECONDS:
            peaks.popleft()
