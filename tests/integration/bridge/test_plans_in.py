"""On the real API server, with a real brain: plans come in, are done or refused, and the brain is told what is true."""

from __future__ import annotations

import itertools
import time
from collections import Counter

import pytest

from sentinel_operator.bridge.intake import STATEFUL_SETS
from sentinel_operator.core.actionplan.stamps import requester
from sentinel_operator.core.bridge.marks import BRIDGE
from sentinel_operator.core.plan import ObjectRef
from tests.support.bridgeworld import CLUSTER, Bridges
from tests.support.eventually import eventually
from tests.support.plansworld import PLANS

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


async def test_what_a_policy_forbids_is_told_with_its_reasons_and_nothing_is_changed(bridges: Bridges) -> None:
    brain = await bridges.open_brain()
    before = await bridges.plans.deployment()
    await bridges.plans.guarded_replica()
    given = [{"name": "inframind", "users": [bridges.user]}]
    rule = {"type": "RateLimit", "rateLimit": {"maxPerHour": 1, "scope": "Namespace"}}
    await bridges.plans.policy("once", rule, sources=given)
    await bridges.configure(source="inframind")
    await bridges.run()
    brain.offer(bridges.proposal("first", bridges.wish("restart")))
    assert (await bridges.acked("first"))["success"] is True
    brain.offer(bridges.proposal("second"))
    ack = await bridges.acked("second")
    assert ack.get("success", False) is False
    assert ack["metrics"]["state"] == "Rejected"
    assert f"once-{bridges.namespace} (RateLimit)" in ack["message"]
    assert (await bridges.plans.workload())["spec"]["replicas"] == before["spec"]["replicas"]
    assert (await bridges.marked("second"))["spec"]["source"] == "inframind"


async def test_what_is_no_plan_is_told_at_once_by_its_field_and_makes_no_object(bridges: Bridges) -> None:
    brain = await bridges.open_brain()
    await bridges.plans.guarded_replica()
    await bridges.configure()
    running = await bridges.run()
    there = await bridges.plans.deployment()
    workload = {**there, "kind": "StatefulSet", "metadata": {"name": "web", "namespace": bridges.namespace}}
    workload["spec"] = {key: there["spec"][key] for key in ("selector", "template")}
    workload["spec"] |= {"serviceName": "web", "replicas": 0}
    workload.pop("status", None)
    await bridges.api.create(STATEFUL_SETS, workload)
    wish = bridges.wish
    on_itself = {**wish("restart"), "id": "a", "depends_on": ["a"]}
    on_a_node = {**wish("restart"), "target": {"node": "a"}}
    cases = {
        "decisions[0].verb": bridges.proposal("verb", {**wish("scale", replicas="3"), "verb": "explode"}),
        "decisions[0].params.replica": bridges.proposal("param", wish("scale", replica="3")),
        "decisions[0].params: must hold replicas": bridges.proposal("text", wish("scale", replicas="many")),
        "decisions[0].ttl": bridges.proposal("ttl", {**wish("restart"), "ttl": 7200}),
        "decisions[0].target.workload: there is no": bridges.proposal("gone", wish("restart", "nowhere")),
        "decisions[0].target.workload: web in": bridges.proposal("which", wish("restart")),
        "decisions[1].target.node": bridges.proposal("node", wish("restart"), on_a_node),
        "decisions: must depend on other": bridges.proposal("cycle", on_itself),
        "decisions: must hold": {"plan_id": "empty", "decisions": []},
        "created_at": bridges.proposal("when", created_at=1_700_000_000_000),
        "mode": bridges.proposal("mode", mode="Maybe"),
    }
    for plan in cases.values():
        brain.offer(plan)
    for field, plan in cases.items():
        ack = await bridges.acked(plan["plan_id"])
        assert not ack.get("success")
        assert ack["message"].startswith("Untranslatable: ")
        assert field in ack["message"], ack["message"]
        assert await bridges.plan(plan["plan_id"]) is None
    assert running.metric("plans_received_total", result="untranslatable") >= len(cases)
    assert running.metric("acks_sent_total", success="false", result="taken") == len(cases)


async def test_what_the_api_server_itself_refuses_is_told_at_once(bridges: Bridges) -> None:
    brain = await bridges.open_brain()
    await bridges.plans.deployment()
    await bridges.plans.guarded_replica()
    await bridges.plans.policy("small", {"type": "Quota", "quota": {"maxReplicas": 2}})
    await bridges.configure()
    await bridges.run()
    numbers = itertools.count()

    async def refused() -> bool:
        """The API server takes notice of what was compiled a little later; until then the operator rejects."""
        plan_id = f"too-big-{next(numbers)}"
        brain.offer(bridges.proposal(plan_id))
        ack = await bridges.acked(plan_id)
        assert not ack.get("success")
        assert "small" in ack["message"]
        return bool(ack["metrics"]["state"] == "Refused")

    await eventually(refused)


async def test_a_plan_id_that_comes_again_is_the_same_plan_and_another_plan_under_it_is_not_done(
    bridges: Bridges,
) -> None:
    brain = await bridges.open_brain()
    await bridges.plans.deployment()
    await bridges.plans.guarded_replica()
    await bridges.configure()
    running = await bridges.run()

    async def connected() -> bool:
        return running.metric("connected") == 1.0

    await eventually(connected)
    plan = bridges.proposal("again", created_at=int(time.time()))
    for _ in range(3):
        brain.offer(plan)
    assert (await bridges.acked("again"))["success"] is True
    made = await bridges.marked("again")
    brain.offer(plan)
    brain.offer(bridges.proposal("again", bridges.wish("scale", replicas="9")))

    async def seen() -> bool:
        known = running.metric("plans_received_total", result="known")
        return known >= 3 and running.metric("plans_received_total", result="conflict") == 1.0

    await eventually(seen)
    assert running.metric("plans_received_total", result="created") == 1.0
    assert (await bridges.plans.workload())["spec"]["replicas"] == 3
    again = await bridges.plan("again")
    assert again is not None
    assert again["metadata"]["uid"] == made["metadata"]["uid"]
    assert len(brain.memory.acks_of("again")) == 1


async def test_a_brain_that_floods_is_told_what_was_not_taken_and_the_rest_is_done(bridges: Bridges) -> None:
    brain = await bridges.open_brain()
    await bridges.plans.deployment()
    await bridges.plans.guarded_replica()
    await bridges.configure(plansPerMinute=5)
    running = await bridges.run()
    for number in range(300):
        brain.offer(bridges.proposal(f"p{number}", bridges.wish("restart"), mode="DryRun"))

    async def all_told() -> bool:
        return len({each["plan_id"] for each in brain.memory.acks}) == 300

    await eventually(all_told)
    states = Counter(each["metrics"]["state"] for each in brain.memory.acks)
    assert set(states) == {"Completed", "RateLimited"}
    assert 5 <= states["Completed"] <= 30
    assert running.metric("plans_received_total", result="flood") == states["RateLimited"]


async def test_a_plan_that_somebody_deletes_on_its_way_is_told_as_failed(bridges: Bridges) -> None:
    brain = await bridges.open_brain()
    await bridges.plans.deployment()
    await bridges.plans.guarded_replica()
    await bridges.plans.policy("asked", {"type": "Approval", "approval": {}, "onViolation": "RequireApproval"})
    await bridges.configure()
    await bridges.run()
    brain.offer(bridges.proposal("waits"))

    async def waiting() -> bool:
        plan = await bridges.plan("waits")
        return plan is not None and (plan.get("status") or {}).get("state") == "AwaitingApproval"

    await eventually(waiting)
    assert brain.memory.acks_of("waits") == []
    plan = await bridges.plan("waits")
    assert plan is not None
    await bridges.api.delete(PLANS, ObjectRef.of(plan))
    ack = await bridges.acked("waits")
    assert (ack.get("success", False), ack["metrics"]["state"]) == (False, "Deleted")
    assert "AwaitingApproval" in ack["message"]
