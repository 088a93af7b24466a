"""What a person reads of a model: is it as declared, on its way, or in need of them."""

from __future__ import annotations

import copy

import pytest

from sentinel_operator.api.sentrymodel import SentryModelStatus
from sentinel_operator.api.serving import ExitCode
from tests.support.builders import DIGEST_2, a_model
from tests.support.simulation import World
from tests.unit.core.sentrymodel.scenes import new_version, served, summary, with_pods


def test_a_refused_version_stalls_and_says_that_the_former_one_serves():
    world = new_version(served(), lambda pod: pod.refused(ExitCode.DigestMismatch, "wanted x, found y"))
    assert summary(world) == ("RevisionRejected", "False", "False", "True")
    revisions = {each["version"]: each["revision"] for each in world.status["revisions"]}
    message = world.condition("Ready")["message"]
    assert message.startswith(f"revision {revisions['2.0.0']}: spec.model.digest: wanted x, found y")
    assert message.endswith(f"; revision {revisions['1.0.0']} (1.0.0) goes on serving")
    assert "canary" not in world.status
    assert world.condition("Available")["status"] == "True"
    assert world.condition("ModelVerified")["status"] == "False"
    assert (world.status["replicas"], world.status["readyReplicas"]) == (3, 3)
    verdicts = {each["version"]: each["verdict"] for each in world.status["revisions"]}
    assert verdicts == {"1.0.0": "Promoted", "2.0.0": "Rejected"}
    assert world.phase == "Stalled"


def test_a_failure_is_not_forgotten_while_its_pods_are_replaced():
    world = new_version(served(), lambda pod: pod.refused(ExitCode.NotFound, "not there"))
    assert summary(world) == ("NotFound", "False", "False", "True")
    with_pods(world, lambda pod: pod)
    assert summary(world)[0] in {"NotFound", "Progressing"}


def test_a_rejected_version_is_not_delivered_again_by_being_applied_again():
    world = new_version(served(), lambda pod: pod.refused(ExitCode.SignatureInvalid, "unsigned"))
    world.settle()
    assert world.replicas() == {"1.0.0": 3}
    world.edit(a_model().with_replicas(3))
    world.settle()
    assert summary(world)[0] == "Ready"
    world.edit(a_model().with_replicas(3).with_version("2.0.0", DIGEST_2))
    world.settle()
    assert summary(world) == ("RevisionRejected", "False", "False", "True")
    assert world.replicas() == {"1.0.0": 3}
    rejected = next(each for each in world.status["revisions"] if each["verdict"] == "Rejected")
    retry = {"revision": rejected["revision"], "attempt": rejected["attempt"] + 1}
    world.edit(a_model().with_replicas(3).with_version("2.0.0", DIGEST_2).with_rollout(retry=retry))
    world.settle()
    assert world.replicas() == {"2.0.0": 3}
    assert summary(world)[0] == "Ready"


def test_a_failure_ends_when_a_pod_gets_ready_after_all():
    world = new_version(served(), lambda pod: pod.refused(ExitCode.NotFound, "not yet uploaded"))
    world.settle()
    assert summary(world) == ("Ready", "True", "False", "False")
    assert world.status["stable"]["version"] == "2.0.0"


def test_no_progress_in_time_is_a_failure_and_time_is_all_that_is_waited_for():
    world = new_version(served(), lambda pod: pod.refused(ExitCode.StorageUnreachable, "connection refused"))
    assert summary(world) == ("StorageUnreachable", "False", "True", "False")
    assert world.plan().requeue_after == 600.0
    world.wait(600)
    world.pass_once()
    assert summary(world) == ("ProgressDeadlineExceeded", "False", "False", "True")
    message = world.condition("Ready")["message"]
    assert "no progress within 10m: StorageUnreachable: spec.model.source: connection refused" in message
    assert "(1.0.0) goes on serving" in message
    assert world.plan().requeue_after is None
    world.settle()
    assert summary(world)[0] == "Ready"


def test_every_ready_pod_is_progress():
    world = World.of(a_model().with_replicas(2))
    world.pass_once()
    world.deployments_act()
    world.wait(500)
    world.kubelets_act(at_most=1)
    world.pass_once()
    world.wait(500)
    world.pass_once()
    assert summary(world)[0] == "Progressing"
    world.wait(100)
    world.pass_once()
    assert summary(world)[0] == "ProgressDeadlineExceeded"


def test_while_a_version_comes_the_object_is_not_ready_and_still_available():
    world = new_version(served(), lambda pod: pod.scheduled())
    assert summary(world) == ("Progressing", "False", "True", "False")
    assert world.condition("Available")["status"] == "True"
    assert world.phase == "Progressing"
    assert world.status["stable"]["weight"] == 100
    assert world.status["canary"]["weight"] == 0


def test_a_pod_of_what_serves_that_cannot_come_back_degrades_it():
    world = served()
    world.break_pods(1)
    with_pods(world, lambda pod: pod.refused(ExitCode.StorageUnreachable, "connection refused"))
    assert summary(world) == ("StorageUnreachable", "False", "True", "False")
    assert world.phase == "Degraded"
    assert [each["verdict"] for each in world.status["revisions"]] == ["Promoted"]


def test_what_serves_stalls_when_its_artifact_is_no_longer_what_was_declared():
    world = served()
    world.break_pods(1)
    with_pods(world, lambda pod: pod.refused(ExitCode.DigestMismatch, "changed in storage"))
    assert summary(world) == ("DigestMismatch", "False", "False", "True")
    assert world.condition("Available")["status"] == "True"
    assert [each["verdict"] for each in world.status["revisions"]] == ["Promoted"]


def test_an_invalid_spec_stalls_by_field_and_leaves_everything_as_it_is():
    world = served()
    objects, replicas = copy.deepcopy(world.objects), world.replicas()
    world.edit(a_model().with_spec(model={"digest": "sha256:short"}))
    plan = world.plan()
    assert (plan.apply, plan.scale, plan.delete) == ((), (), ())
    world.pass_once()
    assert summary(world) == ("InvalidSpec", "False", "False", "True")
    assert world.condition("Ready")["message"].startswith("spec.model.digest: ")
    assert (world.objects, world.replicas()) == (objects, replicas)
    assert world.status["stable"]["version"] == "1.0.0"
    assert world.condition("Available")["status"] == "True"
    assert world.status["observedGeneration"] == 2
    world.edit(a_model().with_replicas(3))
    world.settle()
    assert summary(world) == ("Ready", "True", "False", "False")


@pytest.mark.parametrize(
    ("model", "field"),
    [
        (a_model("Not-a-name"), "metadata.name"),
        (
            a_model().with_spec(pod={"volumes": [{"name": "model", "mountPath": "/x", "source": {"emptyDir": {}}}]}),
            "name",
        ),
        (
            a_model().with_spec(pod={"volumes": [{"name": "x", "mountPath": "/tmp/x", "source": {"emptyDir": {}}}]}),
            "spec.pod.volumes[0].mountPath",
        ),
        (
            a_model().with_spec(
                model={"source": {"type": "Image", "objectStore": None, "image": {"reference": "a:1", "path": "/"}}}
            ),
            "spec.model.source.image.path",
        ),
    ],
    ids=["a name that no Service can bear", "a volume's name of ours", "a place of ours", "the root of an image"],
)
def test_what_the_schema_cannot_say_is_refused_all_the_same(model, field):
    world = World.of(model)
    world.pass_once()
    assert summary(world)[0] == "InvalidSpec"
    assert field in world.condition("Ready")["message"]


def test_a_status_that_cannot_be_read_is_written_anew():
    world = served()
    world.model["status"] = {"observedGeneration": 1, "conditions": "none of it"}
    world.settle()
    assert summary(world) == ("Ready", "True", "False", "False")
    assert world.status["stable"]["version"] == "1.0.0"


def test_what_is_written_is_what_the_crd_allows():
    for world in (served(), new_version(served(), lambda pod: pod.refused(ExitCode.NotFound, "no"))):
        read = SentryModelStatus.model_validate(world.status)
        assert read.observed_generation == world.model["metadata"]["generation"]
        assert {each.observed_generation for each in read.conditions} == {read.observed_generation}


def test_scaled_to_zero_is_what_was_asked_for():
    world = World.of(a_model().with_replicas(0))
    world.settle()
    assert summary(world) == ("ScaledToZero", "True", "False", "False")
    assert ("Deployment", "fraud") not in world.objects
    assert not world.pods


def test_time_alone_changes_nothing():
    world = served()
    before = world.status
    for _ in range(5):
        world.wait(3600)
        assert world.pass_once() == 0
    assert world.status == before
