"""Plans from their creation to their end, told one after the other."""

from __future__ import annotations

import copy

from sentinel_operator.api.actionstatus import FINISHED
from sentinel_operator.core.policy.facts import Identity
from sentinel_operator.core.targets import TargetKey
from tests.unit.actionplan.world import BRAIN, NOW, Executor, World, a_decision, a_deployment, a_node, a_pod
from tests.unit.policy.scenes import policy, rule

BOB = Identity(username="bob")
WEB = TargetKey("Deployment", "shop", "web")
SCALE = a_decision("scale", params={"replicas": "5"})


def a_world(*more: dict[str, object], **settings: object) -> World:
    world = World(**settings)
    for raw in (a_deployment(), *more):
        world.put(raw)
    world.settle()
    return world


def states_told(world: World) -> list[str]:
    return [each.reason for each in world.events]


def test_a_plan_is_judged_done_and_completed():
    world = a_world()
    world.submit(SCALE)
    assert Executor(world).run() == "Completed"
    assert world.spec("Deployment", "web")["replicas"] == 5
    assert len(world.applied) == 1
    status = world.status()
    assert status["requestedBy"] == {"username": "inframind", "groups": ["brains"]}
    assert status["diff"] == [
        {"decision": "scale-web", "object": "Deployment shop/web", "path": "spec.replicas", "before": "3", "after": "5"}
    ]
    assert world.decision("scale-web")["state"] == "Done"
    assert (status["done"], status["total"]) == (1, 1)
    assert {each["type"]: each["status"] for each in status["conditions"]} == {
        "Ready": "True",
        "Reconciling": "False",
        "Stalled": "False",
    }
    assert states_told(world) == ["Executing", "Completed"], "what it passes through is in its history alone"
    assert [(each["number"], each["state"]) for each in status["history"]] == list(
        enumerate(["Pending", "Validating", "Approved", "Scheduled", "Executing", "Completed"], start=1)
    )


def test_a_plan_takes_two_writes_beside_the_change_itself():
    world = a_world()
    world.submit(SCALE)
    executor = Executor(world, writes_left=3)
    assert executor.run() == "Completed"
    assert executor.writes_left == 0


def test_the_intent_is_written_before_anything_is_done():
    world = a_world()
    world.submit(SCALE)
    executor = Executor(world)
    executor.dies_once_it_is_recorded()
    assert world.applied == []
    (intent,) = world.decision("scale-web")["intents"]
    assert intent["edits"] == [{"path": ["spec", "replicas"], "before": "3", "after": "5"}]
    assert executor.run() == "Completed"


def test_a_finished_plan_costs_nothing():
    world = a_world()
    world.submit(SCALE)
    executor = Executor(world)
    executor.run()
    before = copy.deepcopy(world.objects)
    assert executor.pass_over() is not None
    assert world.objects == before


def test_a_plan_that_breaks_a_policy_is_rejected_with_its_trace():
    world = a_world(policies=(policy(rule("Quota", maxReplicas=4), priority=10),))
    world.submit(SCALE)
    assert Executor(world).run() == "Rejected"
    assert world.applied == []
    (entry,) = world.status()["trace"]
    assert (entry["policy"], entry["rule"], entry["verdict"], entry["effect"]) == (
        "guard",
        "Quota",
        "Violated",
        "Reject",
    )
    assert entry["inputs"] == {"replicas": "5", "maxReplicas": "4"}
    assert "5 replicas are asked for, at most 4 are allowed" in world.status()["message"]


def test_a_plan_waits_for_approval_and_records_who_gave_it():
    world = a_world(policies=(policy(rule("Approval")),))
    world.submit(SCALE)
    executor = Executor(world)
    executor.run(passes=10)
    assert world.state() == "AwaitingApproval"
    world.approve(BRAIN)
    executor.run(passes=5)
    assert world.state() == "AwaitingApproval", "nobody approves their own plan"
    world.approve(BOB)
    assert executor.run() == "Completed"
    assert world.status()["approval"]["by"] == {"username": "bob"}


def test_an_approval_that_nobody_vouches_for_is_none():
    world = a_world(policies=(policy(rule("Approval")),))
    world.submit(SCALE)
    executor = Executor(world)
    executor.run(passes=5)
    raw = copy.deepcopy(world.get("ActionPlan", "plan"))
    raw["spec"]["approval"] = {"decision": "Approve"}
    world.put(raw)
    executor.run(passes=5)
    assert world.state() == "AwaitingApproval"
    assert "nobody vouches" in world.status()["message"]


def test_somebody_with_the_right_rejects_it():
    world = a_world(policies=(policy(rule("Approval")),))
    world.submit(SCALE)
    executor = Executor(world)
    executor.run(passes=5)
    world.approve(BOB, decision="Reject")
    assert executor.run() == "Rejected"
    assert world.status()["message"] == "rejected by bob: said so"


def test_what_was_approved_can_be_rejected_until_it_begins():
    window = {"start": "2026-01-30T12:01:00Z", "end": "2026-01-30T12:09:00Z"}
    world = a_world(policies=(policy(rule("Approval")), policy(rule("ChangeFreeze", windows=[window]), name="freeze")))
    world.submit(SCALE)
    executor = Executor(world)
    executor.run(until=lambda: world.state() == "AwaitingApproval")
    world.now = NOW.replace(minute=2)
    world.approve(BOB)
    executor.run(passes=4)
    assert world.state() == "Scheduled"
    world.approve(BOB, decision="Reject")
    assert executor.run() == "Rejected"
    assert world.applied == []


def test_a_dry_run_is_judged_and_shown_and_not_done():
    for mode in ("DryRun", "Shadow"):
        world = a_world(policies=(policy(rule("Approval")),))
        world.submit(SCALE, mode=mode)
        executor = Executor(world)
        assert executor.run() == "Completed"
        assert world.applied == []
        assert world.decision("scale-web")["state"] == "Simulated"
        assert world.status()["diff"][0]["after"] == "5"
        assert not executor.locks.has(world.get("ActionPlan", "plan")["metadata"]["uid"], [WEB])
        assert "would wait" in world.status()["message"]


def test_what_the_api_server_would_refuse_is_not_begun():
    world = a_world(refuses="denied by a webhook")
    world.submit(SCALE)
    assert Executor(world).run() == "Rejected"
    assert world.applied == []
    assert "denied by a webhook" in world.status()["message"]


def test_decisions_are_made_in_the_order_of_their_dependencies():
    world = a_world(a_deployment("api"))
    world.submit(
        a_decision("restart", id_="last", dependsOn=["first"]),
        a_decision("scale", "api", id_="first", params={"replicas": 1}),
    )
    assert Executor(world).run() == "Completed"
    assert [what for what, _ in world.applied] == ["Deployment/api", "Deployment/web"]


def test_a_failed_decision_is_never_reported_as_completed():
    for on_failure, state in (("Stop", "Failed"), ("Continue", "Failed"), ("Rollback", "RolledBack")):
        world = a_world(a_deployment("api"))
        world.frozen.add("api")
        before = world.spec("Deployment", "web"), world.spec("Deployment", "api")
        world.submit(
            SCALE,
            a_decision("scale", "api", id_="stuck", params={"replicas": 9}, ttl="2m"),
            a_decision("restart", id_="after", dependsOn=["stuck"]),
            onFailure=on_failure,
        )
        assert Executor(world).run() == state
        assert "stuck: given up at its ttl: 3 of 9 replicas are ready" in world.status()["failure"]
        assert world.decision("after")["state"] == "Skipped"
        if on_failure == "Rollback":
            assert (world.spec("Deployment", "web"), world.spec("Deployment", "api")) == before
        else:
            assert world.spec("Deployment", "web")["replicas"] == 5


def test_a_failed_verification_restores_exactly_what_was_there():
    metric = {"name": "errors", "web": {"url": "http://quality/score"}, "max": 0.01, "count": 2, "interval": "10s"}
    world = a_world(a_deployment("api", replicas=1), a_node("n1"))
    before = {name: world.spec(kind, name) for kind, name in (("Deployment", "web"), ("Deployment", "api"))}
    world.measure = lambda _: 0.5
    world.submit(
        SCALE,
        a_decision("restart", "api"),
        a_decision("pause", "web", id_="pause", dependsOn=["scale-web"]),
        verify={"metrics": [metric]},
    )
    assert Executor(world).run() == "RolledBack"
    assert {name: world.spec("Deployment", name) for name in before} == before
    assert [each["state"] for each in world.status()["decisions"]] == ["Undone", "Undone", "Undone"]
    undone = [next(iter(body["spec"])) for _, body in world.applied[3:]]
    assert undone == ["paused", "template", "replicas"], "the last first"


def test_a_verification_that_passes_completes():
    metric = {"name": "errors", "web": {"url": "http://quality/score"}, "max": 0.01}
    world = a_world(measure=lambda _: 0.001)
    world.submit(SCALE, verify={"metrics": [metric]})
    assert Executor(world).run() == "Completed"
    assert len(world.applied) == 1


def test_what_cannot_be_measured_was_not_found_right():
    metric = {"name": "errors", "web": {"url": "http://quality/score"}, "max": 0.01, "interval": "5s"}
    world = a_world()
    world.submit(SCALE, verify={"metrics": [metric], "timeout": "1m"})
    assert Executor(world).run() == "RolledBack"
    assert world.spec("Deployment", "web")["replicas"] == 3


def test_a_drain_moves_the_pods_and_keeps_what_daemons_have():
    world = a_world(a_node("n1"), a_node("n2"))
    world.put(a_pod("web-1", "n1"))
    world.put(a_pod("web-2", "n2"))
    world.put(a_pod("logs-1", "n1", owner="logs", kind="DaemonSet"))
    world.submit(a_decision("drain", "n1", kind="Node"), namespace="sentinel-system")
    assert Executor(world).run(namespace="sentinel-system") == "Completed"
    assert world.spec("Node", "n1") == {"unschedulable": True}
    assert [each["metadata"]["name"] for each in world.pods_of("Node", "n1")] == ["logs-1"]
    assert [each["metadata"]["name"] for each in world.pods_of("Node", "n2")] == ["web-2"]


def test_a_drain_that_a_budget_holds_up_gives_up_at_its_ttl_and_uncordons():
    for on_failure, state in (("Rollback", "RolledBack"), ("Stop", "Failed"), ("Continue", "Failed")):
        world = a_world(a_node("n1"), a_node("n2", unschedulable=True), budget=1)
        for name in ("web-1", "web-2"):
            world.put(a_pod(name, "n1"))
        world.put(a_pod("web-3", "n2"))
        world.submit(
            a_decision("drain", "n1", kind="Node", ttl="2m"), namespace="sentinel-system", onFailure=on_failure
        )
        assert Executor(world).run(namespace="sentinel-system") == state
        assert world.spec("Node", "n1") == {}
        world.submit(
            a_decision("drain", "n2", kind="Node", ttl="2m"),
            name="other",
            namespace="sentinel-system",
            onFailure=on_failure,
        )
        assert Executor(world).run("other", namespace="sentinel-system") in FINISHED
        assert world.spec("Node", "n2") == {"unschedulable": True}, "somebody else has cordoned it"


def test_pods_are_moved_off_a_node_which_takes_pods_again_after():
    world = a_world(a_node("n1"), a_node("n2"))
    for name in ("web-1", "web-2"):
        world.put(a_pod(name, "n1"))
    decision = a_decision("reschedule", params={"node": "n1"})
    decision["target"]["namespace"] = "shop"
    world.submit(decision, namespace="sentinel-system")
    assert Executor(world).run(namespace="sentinel-system") == "Completed"
    assert world.pods_of("Node", "n1") == ()
    assert [what for what, _ in world.applied] == ["Node/n1", "Node/n1"]
    assert world.spec("Node", "n1") == {}


def test_a_node_that_somebody_cordons_after_the_pods_have_left_stays_cordoned():
    world = a_world(a_deployment("api"), a_node("n1"))
    world.put(a_pod("web-1", "n1"))
    world.frozen.add("api")
    moved = a_decision("reschedule", id_="move", params={"node": "n1"})
    stuck = a_decision("scale", "api", params={"replicas": 9}, ttl="2m")
    for each in (moved, stuck):
        each["target"]["namespace"] = "shop"
    world.submit(moved, stuck, namespace="sentinel-system")
    executor = Executor(world)
    executor.run(until=lambda: world.status(namespace="sentinel-system").get("done") == 1, namespace="sentinel-system")
    assert world.spec("Node", "n1") == {}
    world.edit("Node", "n1", unschedulable=True)
    assert executor.run(namespace="sentinel-system") == "RolledBack"
    assert world.spec("Node", "n1") == {"unschedulable": True}


def test_two_plans_for_one_target_are_done_one_after_the_other():
    world = a_world()
    world.frozen.add("web")
    world.submit(SCALE, name="one")
    world.submit(a_decision("restart"), name="two", by=BOB)
    executor = Executor(world)
    executor.run("one", passes=8)
    executor.run("two", passes=8)
    assert (world.state("one"), world.state("two")) == ("Executing", "Scheduled")
    assert "waits for Deployment shop/web, which" in world.status("two")["message"]
    world.frozen.clear()
    assert executor.run("one") == "Completed"
    assert executor.run("two") == "Completed"


def test_a_later_plan_that_says_it_anew_supersedes_one_that_waits():
    world = a_world(policies=(policy(rule("Approval")),))
    world.submit(SCALE, name="one")
    executor = Executor(world)
    executor.run("one", passes=4)
    world.now = NOW.replace(minute=1)
    world.submit(a_decision("scale", params={"replicas": 6}), name="two")
    executor.run("two", passes=4)
    assert executor.run("one") == "Superseded"
    assert world.state("two") == "AwaitingApproval"


def test_a_suspended_plan_begins_nothing_further():
    world = a_world(a_deployment("api"))
    world.submit(SCALE, a_decision("restart", "api"), suspend=True)
    executor = Executor(world)
    executor.run(passes=5)
    assert world.state() == "Pending"
    assert world.status()["message"] == "suspended"
    raw = copy.deepcopy(world.get("ActionPlan", "plan"))
    raw["spec"]["suspend"] = False
    world.put(raw)
    executor.run(until=lambda: len(world.applied) == 1)
    raw = copy.deepcopy(world.get("ActionPlan", "plan"))
    raw["spec"]["suspend"] = True
    world.put(raw)
    executor.run(passes=10)
    assert len(world.applied) == 1
    assert world.status()["message"] == "suspended before restart-api"
