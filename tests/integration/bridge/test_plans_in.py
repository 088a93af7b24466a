"""On the real API server, with a real brain: plans come in, are done or refused, and the brain is told what is true."""

from __future__ import annotations

import pytest

from sentinel_operator.core.actionplan.stamps import requester
from sentinel_operator.core.bridge.marks import BRIDGE
from tests.support.bridgeworld import CLUSTER, Bridges

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("protocol", ["gRPC", "HTTP"])
async def test_a_plan_is_done_and_the_brain_is_told_when_it_is(bridges: Bridges, protocol: str) -> None:
    brain = await bridges.open_brain()
    await bridges.plans.deployment()
    await bridges.plans.guarded_replica()
    await bridges.configure(protocol)
    running = await bridges.run()
    brain.offer(bridges.proposal("grow", source="inframind", correlation_id="c-1"))
    ack = await bridges.acked("grow")
    assert ack["success"] is True
    assert ack["message"].startswith("Completed")
    assert ack["metrics"]["d1.state"] == "Done"
    assert (await bridges.plans.workload())["spec"]["replicas"] == 3
    plan = await bridges.marked("grow")
    assert plan["metadata"]["labels"][BRIDGE] == CLUSTER
    assert plan["spec"]["source"] == bridges.user
    assert plan["spec"]["evidence"] == {"claimed-source": "inframind"}
    by = requester(plan)
    assert by is not None
    assert by.username == bridges.user
    assert len(brain.memory.acks_of("grow")) == 1
    assert running.metric("acks_sent_total", success="true", result="taken") == 1.0
    assert await running.stop() == 0
