"""What belongs to a model, what it takes away again, and what it never touches."""

from __future__ import annotations

import copy

import pytest

from sentinel_operator.core.plan import Failure, ObjectRef
from sentinel_operator.core.sentrymodel.reconciler import CHILDREN, SentryModelReconciler
from tests.support.builders import NOW, a_model, a_pod
from tests.support.simulation import World

GATEWAY = {"provider": "Gateway", "gateway": {"parentRefs": [{"name": "public"}]}}


def full() -> World:
    world = World.of(a_model().with_autoscaling(2, 4).with_spec(routing=GATEWAY))
    world.settle()
    return world


def kinds(world: World) -> set[str]:
    return {kind for kind, _ in world.objects}


def observed(world: World):
    children = tuple(world.objects[key] for key in sorted(world.objects))
    pods = tuple(pod.builder.raw for pod in world.pods)
    return world.reconciler.observe(world.model, children, pods, {}, world.config, world.now)


def test_everything_that_is_applied_is_declared_for_the_roles():
    declared = {(each.api_version, each.kind) for each in CHILDREN}
    world = full()
    applied = {(step.ref.api_version, step.ref.kind) for step in world.plan().apply}
    assert applied <= declared
    assert {each.kind for each in CHILDREN} - {kind for _, kind in applied} == {"Pod"}
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
    assert [each["verdict"] for each in world.status["revisions"]] == ["Promoted", "Superseded", "Superseded"]


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


# ------------------------------------------------------------------------------------------------ strangers


def of_somebody_else(child: dict) -> dict:
    stranger = copy.deepcopy(child)
    stranger["metadata"]["ownerReferences"][0]["uid"] = "a-former-object-of-this-name"
    return stranger


def test_children_of_a_former_namesake_are_waited_for_and_not_touched():
    world = World.of(a_model().with_replicas(2))
    world.settle()
    world.lose_status()
    world.objects = {key: of_somebody_else(child) for key, child in world.objects.items()}
    plan = world.plan()
    assert (plan.apply, plan.scale, plan.delete) == ((), (), ())
    world.pass_once()
    assert world.condition("Ready")["reason"] == "NameConflict"
    assert world.condition("Reconciling")["status"] == "True"
    assert "another owner" in world.condition("Ready")["message"]
    assert "Service team-a/fraud" in world.condition("Ready")["message"]
    world.objects, world.pods = {}, []
    world.settle()
    assert world.condition("Ready")["status"] == "True"


def test_an_object_that_is_not_ours_is_neither_pruned_nor_scaled():
    world = full()
    for key in (("HorizontalPodAutoscaler", "fraud"), ("HTTPRoute", "fraud")):
        world.objects[key] = of_somebody_else(world.objects[key])
    world.edit(a_model().with_replicas(1))
    assert not [step for step in world.plan().delete if step.ref.kind in {"HorizontalPodAutoscaler", "HTTPRoute"}]


def test_what_is_not_there_yet_is_not_taken_from_whoever_may_have_it():
    world = World.of(a_model())
    assert not any(step.force for step in world.plan().apply)
    world.settle()
    assert all(step.force for step in world.plan().apply)


def test_deletes_are_pinned_to_the_object_that_was_seen():
    world = full()
    world.edit(a_model().with_replicas(1))
    deletes = world.plan().delete
    assert deletes
    assert all(step.ref.uid == world.objects[step.ref.kind, step.ref.name]["metadata"]["uid"] for step in deletes)


def test_pods_that_serve_nobody_of_ours_do_not_count():
    world = World.of(a_model().with_replicas(2))
    world.settle()
    copied = copy.deepcopy(world.pods[0].builder.raw)
    copied["metadata"] |= {"name": "debug", "ownerReferences": []}
    going = a_pod(world.pods[0].builder.deployment, "going").ready().going().raw
    evicted = a_pod(world.pods[0].builder.deployment, "evicted").raw
    evicted["status"]["phase"] = "Failed"
    adopted = copy.deepcopy(world.pods[0].builder.raw)
    adopted["metadata"] |= {"name": "theirs"}
    adopted["metadata"]["ownerReferences"][0]["name"] = "a-replicaset-of-theirs"
    pods = (*(pod.builder.raw for pod in world.pods), copied, adopted, going, evicted)
    seen = world.reconciler.observe(world.model, tuple(world.objects.values()), pods, {}, world.config, NOW)
    assert seen.ready(world.status["stable"]["revision"]) == 2


# ------------------------------------------------------------------------------------------------ steps that fail


def failed(kind: str, code: int, message: str, *, terminal: bool = False) -> Failure:
    return Failure(ObjectRef("v1", kind, "team-a", "fraud"), code, "Reason", message, terminal)


def test_what_the_api_server_refuses_is_said_with_its_own_words():
    world = World.of(a_model())
    error = failed("Deployment", 422, "spec.template.spec.tolerations[0].effect: Unsupported value", terminal=True)
    told = world.reconciler.on_error(observed(world), error)
    assert told is not None
    ready, reconciling, stalled = (told.status["conditions"][i] for i in range(3))
    assert (ready["status"], ready["reason"]) == ("False", "ChildRejected")
    assert ready["message"] == "Deployment team-a/fraud: spec.template.spec.tolerations[0].effect: Unsupported value"
    assert (reconciling["status"], stalled["status"]) == ("False", "True")
    assert [event.type for event in told.events] == ["Normal", "Warning"]


def test_somebody_elses_object_of_that_name_is_named():
    world = World.of(a_model())
    told = world.reconciler.on_error(observed(world), failed("Service", 409, "conflict with kubectl: .spec.selector"))
    assert told is not None
    assert told.status["conditions"][0]["reason"] == "NameConflict"
    assert told.status["conditions"][1]["status"] == "True"


def test_a_cluster_without_the_gateway_api_is_named():
    world = full()
    told = world.reconciler.on_error(observed(world), failed("HTTPRoute", 404, "the server could not find"))
    assert told is not None
    assert told.status["conditions"][0]["reason"] == "GatewayApiMissing"
    assert told.status["conditions"][0]["message"].endswith("goes on serving")


def test_what_passes_by_itself_is_not_told():
    world = World.of(a_model())
    assert world.reconciler.on_error(observed(world), failed("Deployment", 503, "unavailable")) is None
    assert world.reconciler.on_error(observed(world), failed("Deployment", 404, "namespace is going")) is None


def test_telling_the_same_failure_again_changes_nothing():
    world = World.of(a_model())
    error = failed("Deployment", 422, "no", terminal=True)
    told = world.reconciler.on_error(observed(world), error)
    world.model["status"] = told.status
    again = world.reconciler.on_error(observed(world), error)
    assert again.status == told.status
    assert again.events == ()


# ------------------------------------------------------------------------------------------------ events


def test_a_delivery_is_told_step_by_step_and_once():
    world = World.of(a_model().with_replicas(1))
    world.settle()
    assert world.reasons() == ["NewRevision", "ScalingUp", "RevisionPromoted", "ModelVerified"]
    world.events.clear()
    world.edit(a_model().with_replicas(1).with_version("2.0.0"))
    world.settle()
    assert world.reasons() == ["NewRevision", "ScalingUp", "ScalingDown", "RevisionPromoted"]
    world.events.clear()
    world.settle()
    assert world.reasons() == []


def test_the_last_decision_says_why():
    world = World.of(a_model().with_replicas(1))
    world.settle()
    world.wait(60)
    world.edit(a_model().with_replicas(3))
    world.settle()
    decision = world.status["lastDecision"]
    revision = world.status["stable"]["revision"]
    assert decision["rule"] == "ScalingUp"
    assert decision["result"] == f"pods of revision {revision} 1→3"
    assert decision["inputs"]["wanted"] == "3"
    assert decision["at"] == "2025-03-01T12:01:00Z"


def test_a_decision_that_is_taken_again_on_an_older_view_is_no_news():
    world = World.of(a_model().with_replicas(3))
    world.settle()
    world.edit(a_model().with_replicas(4))
    world.model["status"] = world.plan().status  # the scale itself has not been seen yet
    again = world.plan()
    assert [step.replicas for step in again.scale] == [4]
    assert again.events == ()
    assert again.status == world.status


# ------------------------------------------------------------------------------------------------ purity


def test_the_same_observation_gives_the_same_plan_whatever_was_seen_before():
    world = full()
    arguments = observed(world)
    assert SentryModelReconciler().plan(arguments) == world.reconciler.plan(arguments) == world.plan()


def test_a_pass_changes_nothing_that_it_is_given():
    world = full()
    model, objects = copy.deepcopy(world.model), copy.deepcopy(world.objects)
    pods = copy.deepcopy([pod.builder.raw for pod in world.pods])
    world.reconciler.plan(observed(world))
    assert (world.model, world.objects, [pod.builder.raw for pod in world.pods]) == (model, objects, pods)


def test_what_is_remembered_is_bounded_and_by_generation():
    reconciler = SentryModelReconciler(remembered=2)
    for generation in range(1, 6):
        raw = a_model().with_metadata(generation=generation).with_replicas(generation).raw
        seen = reconciler.observe(raw, (), (), {}, World.of(a_model()).config, NOW)
        assert seen.spec.replicas == generation
    assert len(reconciler._parsed) == 2


def test_a_spec_that_does_not_validate_has_no_references():
    raw = a_model().with_spec(model={"source": None}).raw
    assert SentryModelReconciler().references(raw) == ()
