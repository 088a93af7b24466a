"""What a brain knows: plans until they are acknowledged, telemetry and acknowledgements, all bounded."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Plan = Mapping[str, Any]
"""A plan as JSON, with the field names of decisions.proto."""
_KEPT = 1000


@dataclass(slots=True)
class Memory:
    """Shared by the two protocols."""

    plans: dict[str, Plan] = field(default_factory=dict)
    """Offered and not acknowledged, the oldest first."""
    batches: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_KEPT))
    """Taken, as JSON."""
    names: Counter[str] = field(default_factory=Counter)
    """How many points of each name were taken."""
    acks: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_KEPT))
    events: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_KEPT))
    contexts: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_KEPT))
    """What came with requests for plans by REST."""
    refused: int = 0
    """Batches that were not taken."""
    streams: set[asyncio.Queue[Plan | None]] = field(default_factory=set)
    """Those that are open; None ends one."""
    _asked: deque[str] = field(default_factory=deque)

    def offer(self, plan: Plan) -> None:
        """Remembers a plan until it is acknowledged, and sends it to every stream."""
        self.plans[str(plan["plan_id"])] = plan
        for stream in self.streams:
            stream.put_nowait(plan)

    def cut_streams(self) -> None:
        """Ends every stream of plans with an error; new ones are served."""
        for stream in self.streams:
            stream.put_nowait(None)

    def next_plan(self) -> Plan | None:
        """Gives one that was not acknowledged, and each time another."""
        self._asked = deque(each for each in self._asked if each in self.plans)
        fresh = [each for each in self.plans if each not in self._asked]
        chosen = fresh[0] if fresh else self._asked.popleft() if self._asked else None
        if chosen is None:
            return None
        self._asked.append(chosen)
        return self.plans[chosen]

    def take_batch(self, batch: dict[str, Any]) -> None:
        """Counts and keeps a batch."""
        self.batches.append(batch)
        self.names.update(str(each.get("name")) for each in batch.get("points") or ())

    def take_ack(self, ack: dict[str, Any]) -> None:
        """Keeps an acknowledgement; the plan is done with."""
        self.acks.append(ack)
        self.plans.pop(str(ack.get("plan_id")), None)

    def acks_of(self, plan_id: str) -> list[dict[str, Any]]:
        """Gives what was said of one plan."""
        return [each for each in self.acks if each.get("plan_id") == plan_id]
