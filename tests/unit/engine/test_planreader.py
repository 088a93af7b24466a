"""What is read for a pass over a plan: the target, and what is really its own."""

from __future__ import annotations

from typing import Any

from sentinel_operator.core.actionplan.reconciler import ActionPlanReconciler
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.targets import TargetKey
from sentinel_operator.engine.planreader import PlanReader
from sentinel_operator.engine.resources import Resource, ResourceTable
from sentinel_operator.engine.transport import Query

WEB = TargetKey("Deployment", "shop", "web")


def an_object(kind: str, name: str, *, owner: str = "", namespace: str = "shop", **more: Any) -> Manifest:
    owners = [{"uid": owner, "kind": "Any", "name": "any", "controller": True}] if owner else []
    metadata = {"name": name, "namespace": namespace, "uid": f"uid-{name}", "ownerReferences": owners}
    return {"kind": kind, "metadata": {**metadata, "managedFields": [{}]}, **more}


class Server:
    """Objects, and what was asked for."""

    def __init__(self, *objects: Manifest) -> None:
        self.objects = objects
        self.asked: list[tuple[str, Query]] = []

    async def find(self, resource: Resource, namespace: str, name: str) -> Manifest | None:
        found = (each for each in self.objects if (each["kind"], each["metadata"]["name"]) == (resource.kind, name))
        return next(found, None)

    async def list(self, resource: Resource, *, namespace: str = "", query: Query = ()) -> tuple[list[Manifest], str]:
        self.asked.append((resource.kind, query))
        found = [each for each in self.objects if each["kind"] == resource.kind]
        return [each for each in found if not namespace or each["metadata"]["namespace"] == namespace], "1"


def reader(server: Server, *, priced: bool = False) -> PlanReader:
    table = ResourceTable(Resource.of_child(each) for each in ActionPlanReconciler().children)
    return PlanReader(server, table, clock=lambda: 0.0, priced=lambda: priced)


def a_plan(verb: str, kind: str = "Deployment", name: str = "web", **params: Any) -> Manifest:
    target = {"kind": kind, "name": name}
    decision = {"id": "it", "verb": verb, "target": target, "params": params}
    return {"metadata": {"name": "plan", "namespace": "shop"}, "spec": {"decisions": [decision]}}


async def test_pods_and_revisions_are_those_that_it_controls_whatever_their_labels_say() -> None:
    selector = {"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "old", "operator": "DoesNotExist"}]}
    server = Server(
        an_object("Deployment", "web", spec={"selector": selector}),
        an_object("ReplicaSet", "web-1", owner="uid-web"),
        an_object("ReplicaSet", "stranger"),
        an_object("Pod", "mine", owner="uid-web-1"),
        an_object("Pod", "theirs", owner="uid-stranger"),
        an_object("Pod", "nobodys"),
        an_object("HorizontalPodAutoscaler", "scaler", spec={"scaleTargetRef": {"kind": "Deployment", "name": "web"}}),
    )
    view = (await reader(server).read(a_plan("reschedule", node="a"))).targets[WEB]
    assert [each["metadata"]["name"] for each in view.revisions] == ["web-1"]
    assert [each["metadata"]["name"] for each in view.pods] == ["mine"]
    assert view.raw is not None
    assert "managedFields" not in view.raw["metadata"]
    assert ("Pod", (("labelSelector", "app=web,!old"),)) in server.asked


async def test_of_a_workload_nothing_is_listed_that_no_decision_is_about() -> None:
    server = Server(
        an_object("Deployment", "web", spec={"selector": {"matchLabels": {"app": "web"}}}),
        an_object("HorizontalPodAutoscaler", "scaler", spec={"scaleTargetRef": {"kind": "Deployment", "name": "web"}}),
    )
    made = reader(server)
    await made.read(a_plan("restart"))
    assert server.asked == []
    assert (await made.read(a_plan("scale", replicas=3))).targets[WEB].autoscaler == "scaler"
    await made.read(a_plan("scale", replicas=3))
    assert [kind for kind, _ in server.asked] == ["HorizontalPodAutoscaler"], "shared for a second"
    recorded = {**a_plan("scale", replicas=3), "status": {"decisions": [{"id": "it", "state": "Executing"}]}}
    await reader(server).read(recorded)
    assert [kind for kind, _ in server.asked] == ["HorizontalPodAutoscaler"], "decided already"
    await reader(server).read(a_plan("rollback"))
    assert [kind for kind, _ in server.asked] == ["HorizontalPodAutoscaler", "ReplicaSet"]


async def test_of_a_model_its_deployments_and_their_pods() -> None:
    server = Server(
        an_object("SentryModel", "fraud"),
        an_object("Deployment", "fraud-1", owner="uid-fraud"),
        an_object("Deployment", "forged"),
        an_object("ReplicaSet", "fraud-1-a", owner="uid-fraud-1"),
        an_object("Pod", "mine", owner="uid-fraud-1-a"),
        an_object("Pod", "forged-pod", owner="uid-forged"),
    )
    found = await reader(server).read(a_plan("restart", "SentryModel", "fraud"))
    view = found.targets[TargetKey("SentryModel", "shop", "fraud")]
    assert [each["metadata"]["name"] for each in view.deployments] == ["fraud-1"]
    assert [each["metadata"]["name"] for each in view.pods] == ["mine"]


async def test_of_a_node_every_pod_on_it_and_all_nodes() -> None:
    server = Server(an_object("Node", "a"), an_object("Node", "b"), an_object("Pod", "one", namespace="other"))
    found = await reader(server).read(a_plan("drain", "Node", "a"))
    view = found.targets[TargetKey("Node", "", "a")]
    assert [each["metadata"]["name"] for each in view.pods] == ["one"]
    assert ("Pod", (("fieldSelector", "spec.nodeName=a"),)) in server.asked
    assert set(found.nodes) == {"a", "b"}


async def test_where_there_are_prices_the_nodes_are_known_and_remembered_for_a_while() -> None:
    server = Server(an_object("Node", "a"), an_object("Deployment", "web", spec={}))
    made = reader(server, priced=True)
    assert set((await made.read(a_plan("restart"))).nodes) == {"a"}
    await made.read(a_plan("restart"))
    assert [kind for kind, _ in server.asked].count("Node") == 1


async def test_what_is_not_there_is_a_target_without_an_object() -> None:
    found = await reader(Server()).read(a_plan("restart"))
    assert found.targets[WEB].raw is None
