"""What belongs to a model, what it takes away again, and what it never touches."""

from __future__ import annotations

import copy

import pytest

from sentinel_operator.core.sentrymodel.reconciler import CHILDREN
from tests.support.builders import a_model
from tests.support.simulation import World
from tests.unit.core.sentrymodel.scenes import GATEWAY, full, kinds


def test_everything_that_is_applied_is_declared_for_the_roles():
    declared = {(each.api_version, each.kind) for each in CHILDREN}
    told = World.of(a_model().with_rollout(strategy="HotSwap"))
    applied = {(step.ref.api_version, step.ref.kind) for world in (full(), told) for step in world.plan().apply}
    assert applied <= declared
    elsewhere = {"Job"}  # made for an analysis: test_jobs.py
    assert {each.kind for each in CHILDREN} - {kind for _, kind in applied} == {"Pod", "EndpointSlice"} | elsewhere
    assert {each.kind for each in CHILDREN if each.scalable} == {"Deployment"}
    assert {each.kind for each in CHILDREN if each.optional} == {"HTTPRoute"}


def test_every_child_has_an_owner_the_users_labels_and_those_it_is_found_by():
    world = World.of(a_model().with_autoscaling(2, 4).with_spec(routing=GATEWAY, labels={"cost-center": "4711"}))
    world.settle()
    for step in world.plan().apply:
        metadata = step.manifest["metadata"]
        assert [each["uid"] for each in metadata["ownerReferences"]] == [a_model().raw["metadata"]["uid"]]
        assert metadata["labels"]["cost-center"] == "4711"
        assert metadata["labels"]["app.kubernetes.io/managed-by"] == "sentinel-operator"
        assert metadata["labels"]["sentinel.dev/name"] == "fraud"
        assert len(metadata["name"]) <= 63


def test_a_route_that_cannot_be_made_keeps_no_model_from_being_delivered():
    """A step that fails ends its pass: so the route comes when there is nothing else to do, and is then looked after
    in every pass."""
    world = World.of(a_model().with_replicas(3).with_spec(routing=GATEWAY))
    assert "HTTPRoute" not in {step.ref.kind for step in world.plan().apply}
    world.settle()
    assert "HTTPRoute" in kinds(world)
    world.edit(a_model().with_replicas(5).with_spec(routing=GATEWAY))
    assert "HTTPRoute" in {step.ref.kind for step in world.plan().apply}


def test_routes_have_a_field_manager_of_their_own():
    managers = {step.ref.kind: step.field_manager for step in full().plan().apply}
    assert managers.pop("HTTPRoute") == "sentinel-routing"
    assert set(managers.values()) == {"sentinel-workload"}


def test_what_is_no_longer_asked_for_is_removed():
    world = full()
    assert {"HorizontalPodAutoscaler", "HTTPRoute", "PodDisruptionBudget", "ServiceAccount"} <= kinds(world)
    world.edit(a_model().with_replicas(1).with_spec(pod={"serviceAccountName": "mine"}))
    world.settle()
    assert kinds(world) == {"ConfigMap", "Deployment", "NetworkPolicy", "Service"}


@pytest.mark.parametrize(
    ("model", "bound"),
    [
        (a_model().with_replicas(1), None),
        (a_model().with_replicas(1).with_spec(disruption={"minAvailable": 1}), None),
        (a_model().with_replicas(2), {"maxUnavailable": 1}),
        (a_model().with_replicas(4).with_spec(disruption={"minAvailable": "50%"}), {"minAvailable": "50%"}),
        (a_model().with_replicas(4).with_spec(disruption={"maxUnavailable": 2}), {"maxUnavailable": 2}),
        (a_model().with_autoscaling(1, 5), None),
    ],
    ids=["one pod", "one pod whatever is said", "two pods", "a share", "a number", "one pod of an autoscaler's"],
)
def test_a_budget_never_blocks_the_drain_of_a_single_pod(model, bound):
    world = World.of(model)
    world.settle()
    budget = world.objects.get(("PodDisruptionBudget", "fraud"))
    found = budget and {key: value for key, value in budget["spec"].items() if key.startswith(("min", "max"))}
    assert found == bound


# ------------------------------------------------------------------------------------------------ the history


def versions(world: World, kind: str = "Deployment") -> int:
    return sum(each == kind for each, _ in world.objects)


def test_the_history_is_bounded_with_all_that_belongs_to_it():
    model = a_model().with_rollout(revisionHistoryLimit=2)
    world = World.of(model)
    for number in range(1, 7):
        world.edit(model.with_version(f"{number}.0.0"))
        world.settle()
        world.wait(60)
    assert versions(world) == versions(world, "ConfigMap") == 3
    assert [each["version"] for each in world.status["revisions"]] == ["6.0.0", "5.0.0", "4.0.0"]
    assert [each["verdict"] for each in world.status["revisions"]] == ["Promoted", "Promoted", "Promoted"]


def test_what_still_has_pods_is_not_removed_however_old_it_is():
    model = a_model().with_rollout(revisionHistoryLimit=3)
    world = World.of(model)
    for number in range(1, 5):
        world.edit(model.with_version(f"{number}.0.0"))
        world.settle()
    former = {
        child["metadata"]["annotations"]["sentinel.dev/version"]: name
        for (kind, name), child in world.objects.items()
        if kind == "Deployment"
    }
    world.objects["Deployment", former["1.0.0"]]["spec"]["replicas"] = 1  # somebody's hand
    world.deployments_act()
    world.edit(model.with_version("4.0.0").with_rollout(revisionHistoryLimit=1))
    assert {step.ref.name for step in world.plan().delete} == {former["2.0.0"]}
    world.pass_once()
    assert world.replicas() == {"4.0.0": 1}
    assert not world.plan().delete, "its pod is still there"
    world.settle()
    assert versions(world) == versions(world, "ConfigMap") == 2


def test_configuration_without_its_deployment_goes():
    world = World.of(a_model().with_version("1.0.0"))
    world.settle()
    orphan = copy.deepcopy(world.objects["ConfigMap", f"fraud-{world.status['stable']['revision']}"])
    orphan["metadata"]["labels"]["sentinel.dev/revision"] = "00000000"
    orphan["metadata"] |= {"name": "fraud-00000000", "uid": "orphan"}
    world.objects["ConfigMap", "fraud-00000000"] = orphan
    assert [str(step.ref) for step in world.plan().delete] == ["ConfigMap team-a/fraud-00000000"]
