"""On the real API server: plans that are carried out, held back, approved, taken back and given up."""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
from collections.abc import AsyncIterator

import pytest
from typer.testing import CliRunner

from sentinel_operator.cli.__main__ import app
from sentinel_operator.core.actionplan.stamps import APPROVED_BY
from sentinel_operator.core.plan import ObjectRef
from sentinel_operator.engine.errors import ApiError, Terminal
from sentinel_operator.engine.resources import NODES
from tests.support.eventually import eventually
from tests.support.modelsworld import model
from tests.support.plansworld import BUDGETS, MODELS, PLANS, POLICIES, Plans, decision, opened
from tests.support.readypods import POD_RESOURCE
from tests.support.replica import SHORT_LEASE, Replica
from tests.support.toyworld import World

pytestmark = pytest.mark.integration
RESTARTED = "kubectl.kubernetes.io/restartedAt"
SCALE = decision("scale", params={"replicas": "4"})


@pytest.fixture
async def plans(world: World) -> AsyncIterator[Plans]:
    async with opened(world) as made:
        yield made


async def test_a_deployment_is_scaled_and_restarted_and_the_plan_says_how_it_was(plans: Plans) -> None:
    before = await plans.deployment()
    replica = await plans.replica()
    await plans.submit("grow", SCALE, {**decision("restart"), "dependsOn": ["scale-it"]})
    status = await plans.reaches("grow", "Completed")
    after = await plans.workload()
    assert after["spec"]["replicas"] == 4
    assert after["metadata"]["generation"] == before["metadata"]["generation"] + 2
    assert RESTARTED in after["spec"]["template"]["metadata"]["annotations"]
    assert (status["done"], status["total"], status["requestedBy"]["username"]) == (2, 2, "alice")
    changes = {(each["path"], each["before"], each["after"]) for each in status["diff"]}
    assert ("spec.replicas", "2", "4") in changes
    assert replica.app is not None
    assert replica.app.runtime is not None
    registry = replica.app.runtime.metrics.registry

    async def counted() -> bool:
        """It is counted once it is written."""
        return registry.get_sample_value("sentinel_plans_total", {"state": "Completed"}) == 1.0

    await eventually(counted)


async def _refused_by_the_server(plans: Plans) -> None:
    """The API server takes notice of what was compiled a little later; until then the operator rejects."""
    numbers = itertools.count()

    async def refused() -> bool:
        name = f"too-big-{next(numbers)}"
        try:
            await plans.submit(name, SCALE)
        except Terminal as error:
            return "ValidatingAdmissionPolicy" in error.message
        await plans.reaches(name, "Rejected")
        return False

    await eventually(refused)


async def test_what_a_policy_forbids_is_rejected_and_nothing_is_changed(plans: Plans) -> None:
    before = await plans.deployment()
    await plans.replica()
    await plans.policy("small", {"type": "Quota", "quota": {"maxReplicas": 3}})
    await _refused_by_the_server(plans)
    await plans.submit("small", decision("scale", params={"replicas": 3}), mode="DryRun")
    status = await plans.reaches("small", "Completed")
    assert [each["verdict"] for each in status["trace"]] == ["Holds"]
    await plans.submit("bigger", SCALE, mode="DryRun")
    status = await plans.reaches("bigger", "Rejected")
    (entry,) = (each for each in status["trace"] if each["verdict"] == "Violated")
    assert entry["rule"] == "Quota"
    assert (await plans.workload())["spec"] == before["spec"]


async def test_a_failed_verification_leaves_exactly_what_was_there(plans: Plans) -> None:
    before = await plans.deployment()
    await plans.replica()
    nowhere = {"address": "http://127.0.0.1:9/", "query": "up"}
    wrong = {"name": "right", "prometheus": nowhere, "max": 1}
    verify = {"metrics": [wrong], "timeout": "10s"}
    await plans.submit("grow", SCALE, verify=verify, onFailure="Rollback")
    status = await plans.reaches("grow", "RolledBack")
    after = await plans.workload()
    assert after["spec"] == before["spec"]
    assert after["metadata"].get("annotations") == before["metadata"].get("annotations")
    assert after["metadata"]["generation"] == before["metadata"]["generation"] + 2, "once there, and once back"
    assert status["failure"]


async def test_a_model_is_scaled_through_its_own_subresource(plans: Plans) -> None:
    await plans.replica()
    await plans.api.apply(MODELS, model(plans.namespace, "topics", "1.0.0"), field_manager="user")

    async def serves() -> bool:
        return bool(((await plans.api.get(MODELS, plans.namespace, "topics")).get("status") or {}).get("readyReplicas"))

    await eventually(serves)
    await plans.submit("grow", decision("scale", "topics", kind="SentryModel", params={"replicas": 2}))
    await plans.reaches("grow", "Completed")
    raw = await plans.api.get(MODELS, plans.namespace, "topics")
    assert (raw["spec"]["replicas"], raw["status"]["readyReplicas"]) == (2, 2)


async def test_a_drain_waits_for_the_budget_and_gives_the_node_back_at_its_ttl(plans: Plans) -> None:
    await plans.deployment()
    node = await plans.a_node()
    await plans.put_on_node()
    budget = {
        "apiVersion": BUDGETS.api_version,
        "kind": BUDGETS.kind,
        "metadata": {"name": "web", "namespace": plans.namespace},
        "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}},
    }
    await plans.api.create(BUDGETS, budget)
    await plans.replica()
    pods, _ = await plans.api.list(POD_RESOURCE, namespace=plans.namespace)
    await plans.configure(operatorNamespace=plans.namespace)
    await plans.submit("empty", {**decision("drain", node, kind="Node"), "ttl": "60s"})

    async def cordoned() -> bool:
        return bool((await plans.api.get(NODES, "", node))["spec"].get("unschedulable"))

    await eventually(cordoned)
    status = await plans.reaches("empty", "RolledBack", within=150)
    assert "2 pods are left" in status["failure"]
    assert not await cordoned()
    left, _ = await plans.api.list(POD_RESOURCE, namespace=plans.namespace)
    assert {each["metadata"]["uid"] for each in left} == {each["metadata"]["uid"] for each in pods}

    await plans.api.patch(BUDGETS, ObjectRef.of(budget), {"spec": {"minAvailable": 1}})
    await plans.submit("again", decision("drain", node, kind="Node"))
    await plans.reaches("again", "Completed")
    left, _ = await plans.api.list(POD_RESOURCE, namespace=plans.namespace)
    assert [each for each in left if each["spec"].get("nodeName") == node] == []
    assert await cordoned()


async def test_an_approval_is_asked_for_and_taken_only_from_whom_may_give_it(plans: Plans) -> None:
    await plans.deployment()
    await plans.guarded_replica()
    await plans.policy("agreed", {"type": "Approval", "approval": {}})
    await plans.grant("alice", "create", "get", "patch", "update")
    await plans.grant("carol", "get", "patch", "update", "approve")
    await plans.grant("bob", "get", "patch", "update")
    alice, bob, carol = [await plans.as_user(each) for each in ("alice", "bob", "carol")]
    await plans.submit("grow", SCALE, by=alice)
    await plans.reaches("grow", "AwaitingApproval")
    said = {"spec": {"approval": {"decision": "Approve", "reason": "agreed"}}}
    ref = ObjectRef.of(await plans.raw("grow"))
    for who in (alice, bob):
        with pytest.raises(Terminal, match="may not approve"):
            await who.patch(PLANS, ref, said)
    with pytest.raises(ApiError, match="decisions"):
        await carol.patch(PLANS, ref, {"spec": {"decisions": [decision("restart")]}})
    stamp = json.dumps({"username": "carol", "groups": [], "at": "2026-01-01T00:00:00Z"})
    await bob.patch(PLANS, ref, {"metadata": {"annotations": {APPROVED_BY: stamp}}})
    assert APPROVED_BY not in (await plans.raw("grow"))["metadata"]["annotations"], "it is admission's to write"
    await carol.patch(PLANS, ref, said)
    status = await plans.reaches("grow", "Completed")
    assert status["approval"]["by"]["username"] == "carol"
    assert status["requestedBy"]["username"] == "alice"


async def test_two_plans_with_one_target_go_one_after_the_other_and_the_same_one_is_not_done_twice(
    plans: Plans,
) -> None:
    before = await plans.deployment()
    await plans.replica()
    names = [f"plan-{number}" for number in range(12)]
    one = plans.submit("first", decision("restart"), planId="the-same")
    two = plans.submit("second", decision("restart"), planId="the-same")
    await asyncio.gather(one, two)
    ended = [await plans.reaches(each, "Completed", "Rejected") for each in ("first", "second")]
    assert sorted(each["state"] for each in ended) == ["Completed", "Rejected"]
    await asyncio.gather(
        *(
            plans.submit(each, decision("scale", params={"replicas": 3 + number % 2}), correlationId=each)
            for number, each in enumerate(names)
        )
    )
    states = [(await plans.reaches(each, "Completed", "Superseded"))["state"] for each in names]
    done = states.count("Completed")
    assert done >= 1
    after = await plans.workload()
    assert after["metadata"]["generation"] <= before["metadata"]["generation"] + 1 + done


@pytest.mark.parametrize("answered", [True, False])
async def test_wherever_the_leader_dies_a_plan_is_done_once(plans: Plans, answered: bool) -> None:
    before = await plans.deployment()
    generation = before["metadata"]["generation"]
    for number in range(1, 5):
        proxy = await plans.world.proxy()
        proxy.die_at_write(number, answered=answered)
        leader = await plans.replica(proxy.kubeconfig(), **SHORT_LEASE)
        name = f"restart-{number}"
        await plans.submit(name, decision("restart"))
        async with asyncio.timeout(60):
            await proxy.dead.wait()
        await leader.kill()
        follower = await plans.replica(**SHORT_LEASE)
        await plans.reaches(name, "Completed")
        await follower.stop()
        raw = await plans.workload()
        assert raw["metadata"]["generation"] == generation + 1, f"{number} writes"
        generation += 1


async def test_wherever_the_leader_dies_what_was_wrong_is_taken_back_once_by_one_that_stood_by(plans: Plans) -> None:
    before = await plans.deployment()
    wrong = {"name": "right", "prometheus": {"address": "http://127.0.0.1:9/", "query": "up"}, "max": 1}
    verify = {"metrics": [wrong], "timeout": "10s"}
    for number in (2, 3, 4, 6, 8, 9):
        generation = (await plans.workload())["metadata"]["generation"]
        proxy = await plans.world.proxy()
        proxy.die_at_write(number)
        leader = await plans.replica(proxy.kubeconfig(), **SHORT_LEASE)
        await eventually(functools.partial(_leads, leader))
        standby = await plans.replica(**SHORT_LEASE)
        name = f"grow-{number}"
        await plans.submit(name, SCALE, verify=verify, onFailure="Rollback")
        await plans.reaches(name, "RolledBack")
        raw = await plans.workload()
        assert raw["spec"] == before["spec"], f"{number} writes"
        assert raw["metadata"]["generation"] == generation + 2, f"{number} writes: once there, and once back"
        await leader.kill()
        await standby.stop()


async def _leads(replica: Replica) -> bool:
    return replica.leads


async def test_while_the_operator_is_down_the_api_server_refuses_by_itself_and_what_was_late_is_expired(
    plans: Plans,
) -> None:
    before = await plans.deployment()
    replica = await plans.replica()
    made = await plans.policy("frozen", {"type": "RateLimit", "rateLimit": {"maxPerHour": 0}})
    assert made["status"]["held"] == 1
    await _refused_by_the_server(plans)
    await replica.stop()
    with pytest.raises(Terminal):
        await plans.submit("grow", SCALE)
    await plans.replica()
    await plans.api.delete(POLICIES, ObjectRef.of(made))
    old = {"createdAt": "2026-01-01T00:00:00Z"}

    async def taken() -> bool:
        await plans.submit("late", SCALE, **old)
        return True

    await eventually(taken)
    await plans.reaches("late", "Expired")
    assert (await plans.workload())["spec"] == before["spec"]


async def test_of_a_flood_of_plans_each_is_done_once_or_said_to_be_overtaken(plans: Plans) -> None:
    targets = [f"web-{number}" for number in range(6)]
    before = {each: await plans.deployment(each, replicas=0) for each in targets}
    await plans.replica()
    names = {f"{target}-{number}": target for target in targets for number in range(12)}
    await asyncio.gather(*(plans.submit(name, decision("restart", target)) for name, target in names.items()))
    ended = {name: (await plans.reaches(name, "Completed", "Superseded"))["state"] for name in names}
    for target in targets:
        done = sum(ended[name] == "Completed" for name, about in names.items() if about == target)
        assert done >= 1
        made = (await plans.workload(target))["metadata"]["generation"]
        assert made == before[target]["metadata"]["generation"] + done


async def test_no_two_plans_pass_one_gap_of_a_rate(plans: Plans) -> None:
    targets = [f"web-{number}" for number in range(5)]
    before = {each: await plans.deployment(each, replicas=0) for each in targets}
    await plans.replica()
    await plans.policy("slow", {"type": "RateLimit", "rateLimit": {"maxPerMinute": 1, "scope": "Namespace"}})
    await asyncio.gather(*(plans.submit(each, decision("restart", each)) for each in targets))

    async def judged() -> bool:
        states = [((await plans.raw(each)).get("status") or {}).get("state") for each in targets]
        assert "Completed" in states, states
        return set(states) <= {"Completed", "Rejected", "Scheduled"}

    await eventually(judged)
    made = [(await plans.workload(each))["metadata"]["generation"] for each in targets]
    assert sum(made) == sum(each["metadata"]["generation"] for each in before.values()) + 1


async def test_at_the_command_line_a_plan_is_explained_and_approved(plans: Plans) -> None:
    await plans.deployment(replicas=0)
    await plans.guarded_replica()
    await plans.policy("agreed", {"type": "Approval", "approval": {}})
    alice = await plans.as_user("alice", "system:masters")
    await plans.submit("again", decision("restart"), by=alice)
    await plans.reaches("again", "AwaitingApproval")

    async def says(*words: str) -> tuple[int, str]:
        given = ("-n", plans.namespace, "--kubeconfig", str(plans.kubeconfig))
        done = await asyncio.to_thread(CliRunner().invoke, app, [*words, *given])
        return done.exit_code, done.stdout + done.stderr

    code, said = await says("explain", "again")
    assert (code, "Approval Violated -> RequireApproval" in said, "Requested by alice" in said) == (0, True, True)
    assert (await says("approve", "again", "--reason", "agreed"))[0] == 0
    await plans.reaches("again", "Completed")
    code, said = await says("explain", "again")
    assert (code, ": agreed" in said, "Done" in said) == (0, True, True)
    code, said = await says("plans")
    assert (code, "again" in said, "Completed" in said) == (0, True, True)
    assert (await says("reject", "again"))[0] == 1, "it is over"
    assert (await says("explain", "another"))[0] == 1
