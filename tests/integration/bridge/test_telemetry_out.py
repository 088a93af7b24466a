"""What the brain is told: nodes by their agents, models by their status, queries of a Prometheus, events of plans."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from aiohttp import web

from sentinel_operator.api.kinds import NODE_TELEMETRY
from sentinel_operator.bridge.rights import NAME
from sentinel_operator.core.conditions import rfc3339
from sentinel_operator.core.plan import ObjectRef
from sentinel_operator.engine.resources import SECRETS, Resource
from tests.integration.measure.scene import serving
from tests.support.bridgeworld import CLUSTER, Bridges
from tests.support.eventually import eventually
from tests.support.modelsworld import model
from tests.support.plansworld import MODELS

pytestmark = pytest.mark.integration

NODE_TELEMETRIES = Resource.of_kind(NODE_TELEMETRY)


async def tell_of_node(bridges: Bridges, name: str) -> None:
    """Writes what an agent writes."""
    metadata = {"name": name}
    made = {"apiVersion": NODE_TELEMETRY.api_version, "kind": NODE_TELEMETRY.kind, "metadata": metadata}
    await bridges.api.apply(NODE_TELEMETRIES, {**made, "spec": {"nodeName": name}}, field_manager="agent")
    host = {"cpuCores": 2, "cpuUtilizationPercent": 30, "memoryUsedBytes": 1, "memoryTotalBytes": 4}
    status = {"observedAt": rfc3339(datetime.now(UTC)), "host": host, "devices": []}
    await bridges.api.apply_status(NODE_TELEMETRIES, {**made, "status": status}, field_manager="agent")


@pytest.mark.parametrize("protocol", ["gRPC", "HTTP"])
async def test_what_nodes_models_and_queries_say_arrives(bridges: Bridges, protocol: str) -> None:
    brain = await bridges.open_brain()
    await bridges.plans.guarded_replica()
    await bridges.plans.deployment()
    node = f"node-{bridges.namespace}"
    await tell_of_node(bridges, node)
    await bridges.api.create(MODELS, model(bridges.namespace, "fraud", "1"))
    asked: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request)
        found = [{"metric": {"__name__": "q", "queue": name}, "value": [1.7e9, "4"]} for name in ("a", "b")]
        return web.json_response({"status": "success", "data": {"resultType": "vector", "result": found}})

    await bridges.secret(f"{NAME}-prometheus", token="let-me-in")
    label = {"metadata": {"labels": {"sentinel.dev/analysis": "true"}}}
    await bridges.api.patch(SECRETS, ObjectRef("v1", "Secret", bridges.namespace, f"{NAME}-prometheus"), label)
    try:
        async with serving(answer) as address:
            ref = {"name": f"{NAME}-prometheus", "key": "token"}
            metrics = [
                {
                    "name": "workload_queue_depth",
                    "prometheus": {"address": address, "query": "q", "authorization": {"secretRef": ref}},
                },
                {"name": "nobody_there", "prometheus": {"address": "http://127.0.0.1:1", "query": "q"}},
            ]
            await bridges.configure(protocol, metrics=metrics)
            running = await bridges.run()

            async def told() -> bool:
                wanted = {"node_cpu_usage", "node_memory_usage", "deployment_replicas_desired", "workload_queue_depth"}
                assert wanted <= set(brain.memory.names), brain.memory.names
                return running.metric("queries_total", result="failed") > 0

            await eventually(told)
    finally:
        await bridges.api.delete(NODE_TELEMETRIES, ObjectRef("", NODE_TELEMETRY.kind, "", node))
    assert asked[0].headers["Authorization"] == "Bearer let-me-in"
    points = [point for batch in brain.memory.batches for point in batch["points"]]
    labels = [each["labels"] for each in points if each["name"] == "workload_queue_depth"]
    assert {"queue": "a"} in labels
    assert {"queue": "b"} in labels
    (of_node,) = [each for each in points if each["name"] == "node_memory_usage" and each["labels"]["node"] == node]
    assert of_node["value"] == 25.0
    assert {batch["cluster_id"] for batch in brain.memory.batches} == {CLUSTER}
    assert running.metric("points_sent_total") >= len(points)
    if protocol == "HTTP":
        brain.offer(bridges.proposal("seen", bridges.wish("restart"), mode="DryRun"))
        await bridges.acked("seen")

        async def events() -> bool:
            return any(each["event_type"] == "action_plan.completed" for each in brain.memory.events)

        await eventually(events)
        assert brain.memory.contexts[-1]["context"]["workloads"][0]["name"] == "fraud"


async def test_what_is_left_is_sent_when_it_is_asked_to_stop(bridges: Bridges) -> None:
    brain = await bridges.open_brain()
    await bridges.plans.guarded_replica()
    await bridges.api.create(MODELS, model(bridges.namespace, "fraud", "1"))
    await bridges.configure(batch={"maxAge": "1h"})
    running = await bridges.run()

    async def gathered() -> bool:
        return running.metric("points_kept") > 0

    await eventually(gathered)
    assert not brain.memory.batches
    kept = running.metric("points_kept")
    assert await running.stop() == 0
    assert brain.memory.names.total() >= kept
