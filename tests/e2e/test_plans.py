"""Plans that a person posts with kubectl: what they say is done once, to real pods and nodes; no request is lost.

One model and one client for all; the names of people are what the API server has authenticated.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from demo.load import Load
from devcluster.cluster import Cluster
from devcluster.errors import DevclusterError
from devcluster.paths import REPOSITORY
from tests.e2e.faults import STORE, node_of, node_without_store
from tests.e2e.plans import (
    APPROVER,
    COLLEAGUE,
    PERSON,
    Plans,
    budget_watched,
    decision,
    operators,
    policy,
    workload,
)
from tests.e2e.rollouts import delivered, lossless, pods, replicas, rollout
from tests.e2e.world import MODEL, Raw, World, eventually

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces are made by root alone"),
    pytest.mark.xdist_group("apart"),
]

KUBECTL_SENTINEL = Path(sys.executable).with_name("kubectl-sentinel")
ROLLING: Raw = {"strategy": "RollingUpdate"}
CANARY: Raw = {"strategy": "Canary", "canary": {"steps": [{"setWeight": 50}, {"pause": {}}, {"pause": {}}]}}
RESTARTED = "kubectl.kubernetes.io/restartedAt"


@pytest.fixture(scope="module")
def plans(planned_world: World) -> Plans:
    """Gives the plans in the model's namespace."""
    made = Plans(planned_world, planned_world.namespace)
    made.grant()
    return made


@pytest.fixture(scope="module")
def node_plans(planned_world: World, apart_cluster: Cluster) -> Iterator[Plans]:
    """Gives the plans about nodes; whatever becomes of those, the nodes take pods before and after."""
    made, nodes = operators(planned_world), [node.name for node in apart_cluster.all_nodes]
    made.grant()
    apart_cluster.kubectl("uncordon", *nodes)
    yield made
    made.clear()
    apart_cluster.kubectl("uncordon", *nodes)


def test_a_model_is_restarted_rolled_back_and_scaled(planned_world: World, plans: Plans, planned_load: Load) -> None:
    world = planned_world
    world.apply(delivered(world, ROLLING, version="1.1.0"))
    assert world.await_ready()["status"]["stable"]["version"] == "1.1.0"
    planned_load.await_only("1.1.0")
    before, old = planned_load.tally(), _uids(world)

    plans.done("again", decision("restart"))
    assert not old & _uids(world)

    plans.done("back", decision("rollback"))
    assert world.await_ready()["status"]["stable"]["version"] == "1.0.0"
    planned_load.await_only("1.0.0")

    status = plans.done("grow", decision("scale", params={"replicas": "3"}))
    assert ("spec.replicas", "2", "3") in {(each["path"], each["before"], each["after"]) for each in status["diff"]}
    assert world.get("sentrymodel", MODEL)["status"]["readyReplicas"] == 3
    assert replicas(world) == {"1.0.0": 3}
    assert set(lossless(planned_load, before).clients) == set(planned_load.clients)


def test_pods_leave_a_node_as_their_budget_allows(
    planned_world: World, node_plans: Plans, planned_load: Load, apart_cluster: Cluster, tmp_path: Path
) -> None:
    world, here, there = planned_world, node_of(apart_cluster, *STORE), node_without_store(apart_cluster)
    before, number = planned_load.tally(), len(pods(world))
    about = {"namespace": world.namespace}
    with budget_watched(world, MODEL, tmp_path / "budget") as seen:
        node_plans.done("move", decision("reschedule", **about, params={"node": here}))
        assert _nodes(world) == {there}
        assert not _cordoned(world, here), "it was closed for as long as the pods moved"
        try:
            node_plans.done("empty", decision("drain", there, kind="Node", ttl="5m"), within=240)
            assert _nodes(world) == {here}
            assert _cordoned(world, there)
        finally:
            world.cluster.kubectl("uncordon", there)
        world.await_ready()
    assert {least for _, least in seen} == {number - 1}
    assert all(healthy >= least for healthy, least in seen), seen
    lossless(planned_load, before)


def test_a_drain_that_a_budget_holds_up_gives_the_node_back(
    planned_world: World, node_plans: Plans, apart_cluster: Cluster
) -> None:
    world, there = planned_world, node_without_store(apart_cluster)
    held = workload("Deployment", "held", replicas=1)
    held["spec"]["template"]["spec"]["nodeSelector"] = {"kubernetes.io/hostname": there}
    budget = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "held"}}
    world.apply(held, {**budget, "spec": {"maxUnavailable": 0, "selector": {"matchLabels": {"app": "held"}}}})
    world.kubectl("rollout", "status", "deployment/held", "--timeout=60s")

    # Twelve seconds are left of the minute.
    earlier = (datetime.now(UTC) - timedelta(seconds=48)).strftime("%Y-%m-%dT%H:%M:%SZ")
    node_plans.propose("held", decision("drain", there, kind="Node", ttl="1m"), createdAt=earlier)
    status = node_plans.reaches("held", "RolledBack", "Failed", within=90)

    assert status["state"] == "RolledBack"
    assert "held-" in status["failure"]
    assert not _cordoned(world, there)
    assert world.get("deployment", "held")["status"]["readyReplicas"] == 1
    world.kubectl("delete", "deployment", "held", "--wait=false")


def test_a_rollout_under_way_is_promoted_paused_and_aborted(
    planned_world: World, plans: Plans, planned_load: Load
) -> None:
    world = planned_world
    before = planned_load.tally()
    canary = delivered(world, CANARY, version="1.1.0")
    canary["spec"]["model"]["version"] = "canary"
    canary["spec"]["replicas"] = 3
    world.apply(canary)
    _await_step(world, 1)

    plans.done("on", decision("promote"))
    _await_step(world, 2)
    plans.done("wait", decision("pause"))
    assert world.get("sentrymodel", MODEL)["spec"]["rollout"]["paused"] == rollout(world)["candidate"]
    plans.done("off", decision("abort"))
    world.await_ready(status="False", reason="RevisionAborted")
    planned_load.await_only("1.0.0")
    assert set(lossless(planned_load, before).versions) == {"1.0.0", "canary"}


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_other_workloads_are_scaled_restarted_and_rolled_back(planned_world: World, plans: Plans, kind: str) -> None:
    world, name = planned_world, f"a-{kind.lower()}"
    world.apply(workload(kind, name))
    world.kubectl("rollout", "status", f"{kind}/{name}", "--timeout=60s")
    was, old = world.get(kind, name), _uids(world, f"app={name}")

    one = decision("scale", name, kind=kind, params={"replicas": 1})
    two = decision("restart", name, kind=kind, dependsOn=["scale"])
    three = decision("rollback", name, kind=kind, dependsOn=["restart"])
    status = plans.done(name, one, two, three)

    now = world.get(kind, name)
    assert now["spec"]["replicas"] == now["status"]["readyReplicas"] == 1
    assert now["spec"]["template"] == was["spec"]["template"]
    assert not old & _uids(world, f"app={name}")
    assert any(RESTARTED in each["path"] + each["after"] for each in status["diff"])
    world.kubectl("delete", kind, name, "--wait=false")


def test_what_a_policy_forbids_is_not_done_and_says_why(planned_world: World, plans: Plans) -> None:
    was = planned_world.get("sentrymodel", MODEL)
    with policy(planned_world, "few", {"type": "BlastRadius", "blastRadius": {"minHealthy": 2}}):
        plans.propose("shrink", decision("scale", params={"replicas": 1}))
        status = plans.reaches("shrink", "Rejected")
    assert "at least 2 have to" in status["message"]
    assert planned_world.get("sentrymodel", MODEL)["spec"] == was["spec"]
    code, said = _sentinel(plans, "explain", plans.name("shrink"))
    assert (code, "BlastRadius Violated -> Reject" in said, f"Requested by {PERSON}" in said) == (1, True, True), said


def test_an_approval_is_taken_from_whom_may_give_it(planned_world: World, plans: Plans) -> None:
    planned_world.apply(workload("Deployment", "agreed", replicas=1))
    with policy(planned_world, "agreed", {"type": "Approval", "approval": {}}):
        plans.propose("ask", decision("scale", "agreed", kind="Deployment", params={"replicas": 2}))
        plans.reaches("ask", "AwaitingApproval")
        for who in (PERSON, COLLEAGUE):
            with pytest.raises(DevclusterError, match="may not approve"):
                plans.approve("ask", by=who)
        assert planned_world.get("deployment", "agreed")["spec"]["replicas"] == 1
        plans.approve("ask", by=APPROVER)
        status = plans.reaches("ask", "Completed")
    assert status["approval"]["by"]["username"] == APPROVER
    assert planned_world.get("deployment", "agreed")["spec"]["replicas"] == 2
    assert f"Approved by {APPROVER}" in _sentinel(plans, "explain", plans.name("ask"))[1]


def test_what_was_wrong_is_taken_back_to_what_was_there(planned_world: World, plans: Plans, planned_load: Load) -> None:
    """It is measured at the client, which cannot be as quick as is asked for."""
    world, before = planned_world, planned_load.tally()
    service = {"selector": {"app": planned_load.name}, "ports": [{"port": 8000}]}
    world.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": planned_load.name}, "spec": service})
    url = f"http://{planned_load.name}.{world.namespace}.svc:8000/"
    right = {"name": "lossless", "web": {"url": url, "jsonPath": "$.failed"}, "max": 0, "interval": "1s"}
    wrong = {"name": "quick", "web": {"url": url, "jsonPath": "$.milliseconds"}, "max": 0.001, "interval": "1s"}
    was = world.get("sentrymodel", MODEL)

    plans.propose("fewer", decision("scale", params={"replicas": 2}), verify={"metrics": [right, wrong]})
    status = plans.reaches("fewer", "RolledBack")

    now = world.get("sentrymodel", MODEL)
    assert "quick" in status["failure"]
    assert now["spec"] == was["spec"]
    assert now["metadata"].get("annotations") == was["metadata"].get("annotations")
    assert now["metadata"]["generation"] == was["metadata"]["generation"] + 2, "once there, and once back"
    plans.done("as-many", decision("scale", params={"replicas": 3}), verify={"metrics": [right]})
    lossless(planned_load, before)


def test_the_examples_are_taken_by_the_api_server(planned_world: World) -> None:
    for examples in ("actions", "scanjob.yaml", "scanjob-minimal.yaml"):
        planned_world.kubectl("apply", "--dry-run=server", "-f", str(REPOSITORY / "examples" / examples))


def _uids(world: World, selector: str = "") -> set[str]:
    found = world.list("pods", selector) if selector else pods(world)
    return {pod["metadata"]["uid"] for pod in found if "deletionTimestamp" not in pod["metadata"]}


def _nodes(world: World) -> set[str]:
    return {pod["spec"]["nodeName"] for pod in pods(world)}


def _cordoned(world: World, node: str) -> bool:
    found: dict[str, Any] = world.get("node", node)["spec"]
    return bool(found.get("unschedulable"))


def _await_step(world: World, step: int) -> None:
    eventually(
        lambda: (rollout(world).get("phase"), rollout(world).get("step")) == ("Paused", step),
        within=180,
        otherwise=lambda: f"{rollout(world)}\n{world.explain(MODEL)}",
    )


def _sentinel(plans: Plans, *words: str) -> tuple[int, str]:
    where = ["--kubeconfig", str(plans.world.cluster.kubeconfig), "--namespace", plans.namespace]
    done = subprocess.run([KUBECTL_SENTINEL, *words, *where], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr
