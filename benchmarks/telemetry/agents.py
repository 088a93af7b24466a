"""The agents of many nodes: what each tells of its GPUs, written at the pace that an agent keeps."""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sentinel_agent.report.pace import Gist, Pace
from sentinel_operator.api.kinds import NODE_TELEMETRY
from sentinel_operator.core.conditions import rfc3339
from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.resources import Resource

TELEMETRIES = Resource.of_kind(NODE_TELEMETRY)
GPUS = 8
HEARTBEAT, LEAST_GAP = 30.0, 3.0
MANAGER = "sentinel-agent"
_BANDS = 5
_MEMORY = 80 * 1024**3
_HURT = {"health": "Degraded", "reasons": ["UncorrectableEcc"]}


def node_of(number: int) -> str:
    """Names a node."""
    return f"node-{number:04d}"


@dataclass(slots=True)
class _Agent:
    """One of them, and what it knows."""

    name: str
    pace: Pace
    pods: list[Manifest] = field(default_factory=list)
    hurt: bool = False
    """Its first GPU has lost data."""


class Agents:
    """Those of `count` nodes. Every GPU is busy, each time as if it had never been looked at before: the worst case."""

    def __init__(self, api: KubeApi, count: int, *, seed: int = 1) -> None:
        self._api, self._rng = api, random.Random(seed)
        self._agents = [_Agent(node_of(number), self._pace()) for number in range(count)]
        self._slots = asyncio.Semaphore(16)
        self.written = 0

    def place(self, pods: Iterable[Manifest]) -> None:
        """Takes in which pods are on which node; each has a GPU of its own."""
        found: dict[str, list[Manifest]] = defaultdict(list)
        for pod in pods:
            found[pod["spec"]["nodeName"]].append(pod)
        for agent in self._agents:
            agent.pods = found[agent.name][:GPUS]

    async def create(self) -> None:
        """Makes every object, as an agent does that starts."""
        async with asyncio.TaskGroup() as group:
            for agent in self._agents:
                group.create_task(self._create(agent))

    async def run(self) -> None:
        """Writes until it is cancelled; each agent looks once a second whether it is time."""
        async with asyncio.TaskGroup() as group:
            for agent in self._agents:
                group.create_task(self._keep(agent))

    async def hurt(self, node: str) -> None:
        """Says of the first GPU of a node that it has lost data, at once."""
        agent = next(each for each in self._agents if each.name == node)
        agent.hurt = True
        await self._tell(agent)

    async def _create(self, agent: _Agent) -> None:
        async with self._slots:
            await self._api.apply(
                TELEMETRIES, {**_head(agent), "spec": {"nodeName": agent.name}}, field_manager=MANAGER
            )
            await self._tell(agent)

    async def _keep(self, agent: _Agent) -> None:
        await asyncio.sleep(self._rng.random())
        while True:
            now, current = time.monotonic(), Gist(agent.hurt, self._rng.randrange(_BANDS))
            if agent.pace.due(now, current):
                agent.pace.written(now, current, spread=self._rng.random())
                async with self._slots:
                    await self._tell(agent)
                self.written += 1
            await asyncio.sleep(1)

    async def _tell(self, agent: _Agent) -> None:
        intent = {**_head(agent), "status": self._status(agent)}
        await self._api.apply_status(TELEMETRIES, intent, field_manager=MANAGER)

    def _pace(self) -> Pace:
        return Pace(heartbeat=HEARTBEAT, least_gap=LEAST_GAP, spread=self._rng.random())

    def _status(self, agent: _Agent) -> Manifest:
        now = rfc3339(datetime.now(UTC))
        return {
            "observedGeneration": 1,
            "observedAt": now,
            "gpus": GPUS,
            "nvml": {"state": "Working", "driverVersion": "550.54.15"},
            "devices": [self._device(agent, index) for index in range(GPUS)],
            "host": {
                "cpuCores": 96,
                "cpuUtilizationPercent": self._rng.randrange(100),
                "memoryUsedBytes": self._rng.randrange(_MEMORY),
                "memoryTotalBytes": 16 * _MEMORY,
            },
            "conditions": [_condition("Ready", "Reporting"), _condition("GPUHealthy", "AllHealthy")],
        }

    def _device(self, agent: _Agent, index: int) -> dict[str, Any]:
        busy, used = self._rng.randrange(101), self._rng.randrange(_MEMORY)
        pods = [_on(pod, busy, used) for pod in agent.pods[index : index + 1]]
        return {
            "uuid": f"GPU-{agent.name}-{index}",
            "index": index,
            "name": "NVIDIA H100 80GB HBM3",
            "pciBusId": f"00000000:{index:02X}:00.0",
            "health": "Healthy",
            "utilizationPercent": busy,
            "memoryUsedBytes": used,
            "memoryTotalBytes": _MEMORY,
            "powerWatts": 100 + 6 * busy,
            "temperatureCelsius": 35 + busy // 2,
            "ecc": {"corrected": 0, "uncorrected": 0},
            "pods": pods,
            **(_HURT if agent.hurt and index == 0 else {}),
        }


def _on(pod: Manifest, busy: int, used: int) -> dict[str, Any]:
    metadata = pod["metadata"]
    return {
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "container": "server",
        "utilizationPercent": busy,
        "memoryUsedBytes": used,
    }


def _condition(type_: str, reason: str) -> dict[str, Any]:
    return {
        "type": type_,
        "status": "True",
        "observedGeneration": 1,
        "lastTransitionTime": "2025-03-01T12:00:00Z",
        "reason": reason,
        "message": "as it should be",
    }


def _head(agent: _Agent) -> Manifest:
    return {
        "apiVersion": TELEMETRIES.api_version,
        "kind": TELEMETRIES.kind,
        "metadata": {"name": agent.name},
    }
