"""An analysis by Jobs: one each time, whoever is restarted when; what they say decides, what goes wrong does not."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from sentinel_operator.core.plan import Failure
from sentinel_operator.core.sentrymodel.jobs import KEPT
from tests.support.builders import ModelBuilder, Raw
from tests.support.simulation import World, a_job_pod
from tests.unit.core.sentrymodel.scenes import serving, v

TEMPLATE = {"template": {"spec": {"template": {"spec": {"containers": [{"name": "accept", "image": "accept:1"}]}}}}}


def accepted(number: int, *, metrics: list[Raw] | None = None, **more: Any) -> ModelBuilder:
    steps = [{"setWeight": 50}, {"analysis": {"metrics": metrics or [{"name": "accept", "job": TEMPLATE}]}}]
    return v(number).with_replicas(2).with_rollout(strategy="Canary", canary={"steps": steps}, **more)


def analysing(**more: Any) -> World:
    """The second version has its share, and its first Job has been made."""
    world = serving(accepted(1, **more))
    world.edit(accepted(2, **more))
    world.settle()
    assert rollout(world)["step"] == 1
    return world


def rollout(world: World) -> Raw:
    found: Raw = world.status["rollout"]
    return found


def metric(world: World, name: str = "accept") -> Raw:
    return {each["name"]: each for each in rollout(world)["analysis"]["metrics"]}[name]


def jobs(world: World) -> list[Raw]:
    return [each for (kind, _), each in sorted(world.objects.items()) if kind == "Job"]


def running(world: World) -> Raw:
    (job,) = [each for each in jobs(world) if not each.get("status", {}).get("conditions")]
    return job


def moment(world: World) -> str:
    now: datetime = world.now
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def end(world: World, job: Raw, type_: str, reason: str = "", message: str = "") -> None:
    condition = {"type": type_, "status": "True", "reason": reason, "message": message}
    job["status"] = {"conditions": [{**condition, "lastTransitionTime": moment(world)}]}
    world.settle()


def verdict(world: World, version: str = "2.0.0") -> str:
    return str({each["version"]: each["verdict"] for each in world.status["revisions"]}[version])


def test_a_job_is_made_for_the_measurement_and_belongs_to_the_model():
    world = analysing()
    job = running(world)
    told = rollout(world)
    assert job["metadata"]["ownerReferences"][0]["uid"] == world.model["metadata"]["uid"]
    assert job["metadata"]["labels"]["sentinel.dev/name"] == "fraud"
    env = {each["name"]: each["value"] for each in job["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert env == {"CANARY": told["candidate"], "STABLE": told["stable"], "NAMESPACE": "team-a", "NAME": "fraud"}
    assert job["spec"]["template"]["spec"]["serviceAccountName"] == "fraud"


def test_its_pods_are_none_of_those_that_serve():
    world = analysing()
    labels = running(world)["spec"]["template"]["metadata"]["labels"].items()
    services = [each["spec"]["selector"] for (kind, _), each in world.objects.items() if kind == "Service"]
    deployments = [
        each["spec"]["selector"]["matchLabels"] for (kind, _), each in world.objects.items() if kind == "Deployment"
    ]
    budget = world.objects["PodDisruptionBudget", "fraud"]["spec"]["selector"]["matchLabels"]
    policy = world.objects["NetworkPolicy", "fraud"]["spec"]["podSelector"]["matchLabels"]
    assert len(services) + len(deployments) >= 3
    assert not any(each.items() <= labels for each in (*services, *deployments, budget, policy))


def test_one_that_completes_passes_and_one_that_ends_otherwise_fails():
    world = analysing()
    end(world, running(world), "Complete")
    world.wait(120)
    world.settle()
    assert verdict(world) == "Promoted"
    world = analysing()
    end(world, running(world), "Failed", "PodFailurePolicy", "Container accept failed with exit code 3 matching")
    assert verdict(world) == "Rejected"
    record = next(each for each in world.status["revisions"] if each["version"] == "2.0.0")
    assert "exit code 3" in record["message"]
    assert world.replicas() == {"1.0.0": 2}


@pytest.mark.parametrize("reason", ["DeadlineExceeded", "BackoffLimitExceeded"])
def test_one_that_could_not_measure_is_tried_again_and_then_a_person_decides(reason: str):
    world = analysing()
    for _ in range(5):
        before = running(world)["metadata"]["name"]
        end(world, running(world), "Failed", reason)
        if rollout(world)["analysis"]["verdict"] == "Error":
            break
        world.wait(300)
        world.settle()
        assert running(world)["metadata"]["name"] != before
    assert metric(world)["failures"] == 0
    assert metric(world)["errors"] == 5
    assert verdict(world) == "Pending"
    assert world.condition("Ready")["reason"] == "AnalysisError"
    world.wait(300)
    world.settle()
    end(world, running(world), "Complete")
    world.wait(120)
    world.settle()
    assert verdict(world) == "Promoted", "it goes on when it can be measured again"


def test_a_pass_that_is_repeated_makes_no_second_job_wherever_it_was_broken_off():
    for steps in range(12):
        world = serving(accepted(1))
        world.edit(accepted(2))
        while not jobs(world):
            plan = world.plan()
            world.execute(plan, steps=steps)
            world.reconciler = type(world.reconciler)()  # restarted
            world.execute(world.plan())
            world.deployments_act()
            world.kubelets_act()
            world.services_act()
        world.settle()
        world.wait(5)
        world.settle()
        assert len(jobs(world)) == 1


def test_a_restart_between_the_end_of_a_job_and_the_status_reads_it_again():
    world = analysing(metrics=[{"name": "accept", "job": TEMPLATE, "count": 2, "interval": "10s"}])
    first = running(world)
    first["status"] = {"conditions": [{"type": "Complete", "status": "True", "lastTransitionTime": moment(world)}]}
    world.execute(world.plan(), steps=0)  # nothing of it was written
    world.settle()
    assert metric(world)["successes"] == 1
    world.wait(10)
    world.settle()
    assert len(jobs(world)) == 2
    end(world, running(world), "Complete")
    world.wait(120)
    world.settle()
    assert verdict(world) == "Promoted"


def test_a_job_that_ends_within_the_second_in_which_it_began_counts():
    world = analysing()
    job = running(world)
    ended = (world.now - timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    job["status"] = {"conditions": [{"type": "Complete", "status": "True", "lastTransitionTime": ended}]}
    world.settle()
    assert metric(world)["successes"] == 1


UNPLACED = {
    "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no node"}]
}
UNPULLED = {
    "phase": "Pending",
    "containerStatuses": [
        {"name": "accept", "image": "accept:1", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "back"}}}
    ],
}


@pytest.mark.parametrize(
    ("status", "seconds", "message"),
    [
        (UNPULLED, 61, "has not started: ImagePullBackOff: image accept:1 cannot be pulled"),
        (UNPLACED, 301, "has not started: Unschedulable: no node"),
        ({"phase": "Pending"}, 301, "has not started: its pod has not started"),
        (None, 61, "has not started: it has no pod; a quota or an admission policy may be why"),
    ],
    ids=["no image", "no place", "no volume", "no pod"],
)
def test_one_that_does_not_start_is_an_error_in_time_and_is_taken_away(status, seconds, message):
    world = analysing()
    job = running(world)
    world.job_pod = lambda job: None if status is None else a_job_pod(job, **status)
    created = datetime.fromisoformat(job["metadata"]["creationTimestamp"])
    world.now = max(world.now, created + timedelta(seconds=seconds - 5))
    world.pass_once()
    assert metric(world)["errors"] == 0
    world.wait(6)
    world.pass_once()
    assert message in metric(world)["message"]
    assert (metric(world)["errors"], metric(world)["failures"]) == (1, 0)
    world.pass_once()  # once that is written down
    assert job["metadata"]["name"] not in [each["metadata"]["name"] for each in jobs(world)]


def test_one_that_has_started_has_the_time_that_it_was_given():
    world = analysing()
    job = running(world)
    world.wait(590)
    world.settle()
    assert metric(world)["errors"] == 0
    assert running(world) == job


def test_one_that_cannot_be_made_is_an_error_and_holds_up_nothing_else():
    world = serving(accepted(1))
    world.edit(accepted(2))
    plan = world.plan()
    while not any(each.ref.kind == "Job" for each in plan.apply):
        world.pass_once()
        world.deployments_act()
        world.kubelets_act()
        world.services_act()
        plan = world.plan()
    for number in range(1, 6):
        ref = next(each.ref for each in plan.apply if each.ref.kind == "Job")
        told = world.refused(Failure(ref, 403, "Forbidden", "exceeded quota: pods", terminal=True))
        assert told is not None
        assert told.requeue_after is not None
        world.execute(told)
        assert metric(world)["errors"] == number
        assert "cannot be made: exceeded quota" in metric(world)["message"]
        assert not any(each.ref.kind == "Job" for each in world.plan().apply), "other things have their turn first"
        world.wait(300)
        plan = world.plan()
    world.execute(world.plan(), steps=0)
    world.pass_once()
    assert verdict(world) in {"Pending", "Failed"}
    assert rollout(world)["analysis"]["verdict"] == "Error"


def test_an_aborted_rollout_takes_its_running_job_away_and_keeps_the_logs_of_those_that_ended():
    world = analysing(metrics=[{"name": "accept", "job": TEMPLATE, "count": 3, "interval": "10s"}])
    first = running(world)
    end(world, first, "Complete")
    world.wait(10)
    world.settle()
    assert len(jobs(world)) == 2
    more = {"metrics": [{"name": "accept", "job": TEMPLATE, "count": 3, "interval": "10s"}]}
    world.edit(accepted(2, abort=rollout(world)["candidate"], **more))
    world.settle()
    assert jobs(world) == [first]


def test_of_those_that_ended_some_are_kept():
    count = KEPT + 5
    world = analysing(metrics=[{"name": "accept", "job": TEMPLATE, "count": count, "interval": "10s"}])
    for _ in range(count - 1):
        end(world, running(world), "Complete")
        world.wait(10)
        world.settle()
    assert len(jobs(world)) == KEPT + 1


def test_what_fails_elsewhere_makes_no_more_jobs():
    metrics = [{"name": "accept", "job": TEMPLATE}, {"name": "again", "job": TEMPLATE, "initialDelay": "1h"}]
    world = analysing(metrics=metrics)
    end(world, running(world), "Failed", "PodFailurePolicy", "exit code 1")
    assert verdict(world) == "Rejected"
    world.wait(4000)
    world.settle()
    assert len(jobs(world)) == 1
