"""What a model waits for: a reference, a person who suspended it, its own end."""

from __future__ import annotations

from sentinel_operator.api.serving import ExitCode
from tests.support.builders import a_config_map, a_model
from tests.support.simulation import World
from tests.unit.core.sentrymodel.scenes import serving, v

JWT = {"issuer": "https://issuer.test", "audience": "fraud", "jwks": {"name": "issuer-keys", "key": "jwks.json"}}


def test_a_reference_that_is_not_there_is_awaited_by_the_name_of_its_field():
    world = World.of(a_model().with_spec(access={"auth": {"jwt": JWT}}))
    assert world.pass_once() > 0
    condition = world.condition("Ready")
    assert (condition["status"], condition["reason"]) == ("False", "ReferenceNotFound")
    assert condition["message"] == "spec.access.auth.jwt.jwks: ConfigMap team-a/issuer-keys does not exist"
    assert world.condition("Reconciling")["status"] == "True"
    assert world.condition("Stalled")["status"] == "False"
    assert world.plan().requeue_after == 30.0
    world.config_maps["issuer-keys"] = a_config_map("issuer-keys", jwks__json='{"keys":[]}')
    world.settle()
    assert world.condition("Ready")["status"] == "True"


def test_what_serves_goes_on_while_a_reference_is_missing_and_can_be_scaled():
    world = serving(v(1).with_replicas(2))
    world.edit(v(2).with_replicas(3).with_spec(access={"auth": {"jwt": JWT}}))
    world.settle()
    assert world.replicas() == {"1.0.0": 3}
    assert world.condition("Ready")["message"].endswith("(1.0.0) goes on serving")
    assert world.condition("Available")["status"] == "True"
    assert [each["verdict"] for each in world.status["revisions"]] == ["Promoted"]


def test_another_content_of_a_reference_is_another_revision_and_the_old_snapshot_stays():
    world = World.of(a_model().with_spec(access={"auth": {"jwt": JWT}}))
    world.config_maps["issuer-keys"] = a_config_map("issuer-keys", jwks__json='{"keys":[]}')
    world.settle()
    first = world.status["stable"]["revision"]
    world.config_maps["issuer-keys"] = a_config_map("issuer-keys", jwks__json='{"keys":[{}]}')
    world.settle()
    second = world.status["stable"]["revision"]
    assert first != second
    assert world.objects["ConfigMap", f"fraud-{first}"]["data"]["jwks.json"] == '{"keys":[]}'
    assert world.objects["ConfigMap", f"fraud-{second}"]["data"]["jwks.json"] == '{"keys":[{}]}'


def test_a_suspended_model_is_observed_and_not_touched():
    world = serving(v(1).with_replicas(2))
    world.edit(v(2).with_replicas(5).suspended())
    plan = world.plan()
    assert (plan.apply, plan.scale, plan.delete) == ((), (), ())
    world.break_pods(1)
    world.pass_once()
    assert (world.phase, world.condition("Ready")["reason"]) == ("Suspended", "Suspended")
    assert world.status["readyReplicas"] == 1
    assert world.condition("Stalled")["status"] == "False"
    world.wait(7200)
    assert world.pass_once() == 0
    world.edit(v(2).with_replicas(5))
    world.settle()
    assert world.replicas() == {"2.0.0": 5}


def test_a_suspension_does_not_count_as_time_without_progress():
    world = serving(v(1).with_replicas(2))
    world.fate = lambda version: ExitCode.StorageUnreachable if version == "2.0.0" else None
    world.edit(v(2).with_replicas(2))
    world.settle()
    world.edit(v(2).with_replicas(2).suspended())
    world.settle()
    world.wait(7200)
    world.edit(v(2).with_replicas(2))
    world.settle()
    assert world.condition("Ready")["reason"] == "StorageUnreachable"
    assert world.plan().requeue_after == 600.0


def test_a_model_that_is_being_deleted_is_left_to_the_garbage_collector():
    world = serving(v(1))
    world.model["metadata"]["deletionTimestamp"] = "2025-03-01T12:00:00Z"
    plan = world.plan()
    assert plan == type(plan)()
