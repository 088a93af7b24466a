"""A scan that is suspended, or waits for Kueue: who says when its Jobs run."""

from __future__ import annotations

from sentinel_operator.api.scanning import ShardOutcome
from sentinel_operator.core.names import PACE_MANAGER
from tests.support.scanworld import ScanWorld, a_plan, a_report, a_scan, counts

QUEUE = "kueue.x-k8s.io/queue-name"


def world(**spec) -> ScanWorld:
    return ScanWorld(a_scan(**spec))


def kueue_holds(scan: ScanWorld, step: str) -> None:
    """What Kueue's webhook makes of a Job with its label."""
    scan.job(step)["spec"]["suspend"] = True


def test_suspended_from_the_beginning_makes_nothing():
    scan = world(suspend=True)
    scan.settle()
    assert not scan.objects
    assert scan.phase == "Suspended"
    assert scan.standing == ("False", "False", "False")
    scan.edit(suspend=False)
    scan.settle()
    assert scan.phase == "Planning"


def test_suspending_ends_the_pods_and_keeps_what_is_done():
    scan = world().planned(3)
    scan.succeed("scan", ShardOutcome(index=0, counts=counts(100)), 0)
    scan.wait(10)
    scan.settle()
    scan.edit(suspend=True)
    scan.settle()
    assert scan.job("scan")["spec"]["suspend"] is True
    assert scan.phase == "Suspended"
    assert scan.status["shards"] == {"total": 3, "active": 0, "succeeded": 1, "failed": 0}
    assert scan.status["progress"]["scanned"] == 100
    assert "etaSeconds" not in scan.status["progress"]
    assert "documentsPerMinute" not in scan.status["progress"]
    scan.edit(suspend=False)
    scan.settle()
    assert scan.job("scan")["spec"]["suspend"] is False
    assert scan.phase == "Scanning"
    assert scan.reasons[-2:] == ["Suspended", "Resumed"]


def test_between_two_steps_nothing_is_made_while_suspended():
    scan = world()
    scan.settle()
    scan.edit(suspend=True)
    scan.succeed("plan", a_plan())
    scan.settle()
    assert not scan.has("scan")
    assert scan.status["shards"]["total"] == 3
    scan.edit(suspend=False)
    scan.settle()
    assert scan.has("scan")


def test_what_has_ended_has_ended_suspended_or_not():
    scan = world().scanned()
    scan.succeed("report", a_report(counts(300)))
    scan.edit(suspend=True)
    scan.settle()
    assert scan.phase == "Succeeded"


def test_a_job_suspended_by_hand_goes_on():
    scan = world().planned()
    scan.job("scan")["spec"]["suspend"] = True
    scan.settle()
    assert scan.job("scan")["spec"]["suspend"] is False


def test_kueue_says_when_its_jobs_run():
    scan = world(queueName="datasets")
    scan.pass_once()
    assert scan.job("plan")["metadata"]["labels"][QUEUE] == "datasets"
    assert "suspend" not in scan.job("plan")["spec"]
    kueue_holds(scan, "plan")
    scan.settle()
    assert scan.job("plan")["spec"]["suspend"] is True
    assert scan.phase == "Queued"
    assert scan.standing == ("False", "True", "False")
    assert "queue datasets" in scan.condition("Ready")["message"]
    scan.job("plan")["spec"]["suspend"] = False
    scan.settle()
    assert scan.phase == "Planning"
    assert [step for step in scan.plan().apply if step.field_manager == PACE_MANAGER] == []


def test_the_user_may_suspend_what_kueue_has_admitted_and_gives_it_back():
    scan = world(queueName="datasets").planned()
    scan.edit(suspend=True)
    scan.settle()
    assert scan.job("scan")["spec"]["suspend"] is True
    assert scan.phase == "Suspended"
    scan.edit(suspend=False, parallelism=1)
    (pace,) = [step for step in scan.plan().apply if step.field_manager == PACE_MANAGER]
    assert pace.manifest["spec"] == {"parallelism": 1}
    assert pace.manifest["metadata"]["uid"] == scan.job("scan")["metadata"]["uid"]


def test_a_job_that_is_over_is_not_written_to():
    scan = world().scanned()
    scan.edit(suspend=True, parallelism=1)
    assert {step.manifest["metadata"]["name"] for step in scan.plan().apply if step.manifest["kind"] == "Job"} == {
        "tickets-report"
    }
