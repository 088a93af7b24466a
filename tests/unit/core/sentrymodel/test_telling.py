"""What is told: steps that failed, events, decisions; and that a pass depends on nothing else."""

from __future__ import annotations

import copy

from sentinel_operator.core.plan import Failure, ObjectRef
from sentinel_operator.core.sentrymodel.reconciler import SentryModelReconciler
from tests.support.builders import NOW, a_model
from tests.support.simulation import World
from tests.unit.core.sentrymodel.scenes import full, observed


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
    assert [event.type for event in told.events] == ["Warning"]


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
