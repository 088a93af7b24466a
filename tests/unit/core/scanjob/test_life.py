"""The life of a ScanJob, from the plan to the report and beyond."""

from __future__ import annotations

import pytest

from sentinel_operator.api.scanning import ScanExit, ShardOutcome
from tests.integration.crds.kstatus import kstatus
from tests.support.scanworld import ScanWorld, a_plan, a_report, a_scan, counts, refusal


def world(**spec) -> ScanWorld:
    return ScanWorld(a_scan(**spec))


def test_first_the_source_is_planned():
    scan = world()
    scan.settle()
    assert scan.phase == "Planning"
    assert scan.standing == ("False", "True", "False")
    assert scan.has("plan")
    assert not scan.has("scan")
    assert {kind for kind, _ in scan.objects} == {"ServiceAccount", "NetworkPolicy", "ConfigMap", "Job"}


def test_the_plan_makes_one_job_with_an_index_a_shard():
    scan = world(parallelism=2).planned(5)
    spec = scan.job("scan")["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 5, 2)
    assert scan.phase == "Scanning"
    assert scan.status["shards"] == {"total": 5, "active": 2, "succeeded": 0, "failed": 0}
    assert scan.status["objects"] == 12
    assert "Planned" in scan.reasons


def test_no_more_pods_than_shards():
    assert world(parallelism=100).planned(3).job("scan")["spec"]["parallelism"] == 3


def test_when_every_shard_is_scanned_the_report_is_made():
    scan = world().scanned()
    assert scan.phase == "Reporting"
    assert scan.condition("Scanned")["status"] == "True"
    assert scan.condition("Clean")["status"] == "Unknown"
    assert scan.status["progress"]["percent"] == "99%"
    assert "etaSeconds" not in scan.status["progress"]


def test_a_report_ends_it_and_the_status_says_where_it_lies():
    scan = world().finished()
    assert scan.phase == "Succeeded"
    assert scan.status["verdict"] == "Clean"
    assert scan.standing == ("True", "False", "False")
    assert scan.status["report"]["merkleRoot"] == "e" * 64
    assert scan.status["report"]["signature"].endswith("statement.sigstore.json")
    assert scan.status["progress"]["percent"] == "100%"
    assert scan.status["progress"]["documents"] == 300
    assert scan.status["requestedBy"] == "alice"
    assert scan.condition("ReportSigned")["status"] == "True"
    assert scan.condition("Clean")["status"] == "True"
    assert scan.reasons == ["Planned", "Scanned", "Finished"]
    assert scan.status["lastDecision"]["rule"] == "Finished"
    assert scan.status["lastDecision"]["inputs"]["documents"] == "300"


def test_what_was_quarantined_is_said_and_the_report_is_ready_all_the_same():
    scan = world().scanned()
    scan.succeed("report", a_report(counts(300, quarantined=7, elevated=2, failed=1)))
    scan.settle()
    assert (scan.phase, scan.status["verdict"]) == ("Succeeded", "Quarantined")
    assert scan.condition("Ready")["message"].startswith("300 documents: 290 clean, 2 elevated, 7 quarantined, 1 that")
    assert scan.condition("Clean")["status"] == "False"


def test_a_report_that_is_not_over_everything_is_not_ready():
    scan = world().scanned()
    scan.succeed("report", a_report(counts(300), verdict="Incomplete"))
    scan.settle()
    assert (scan.phase, scan.status["verdict"]) == ("Failed", "Incomplete")
    assert scan.standing == ("False", "False", "True")
    assert scan.condition("Clean")["status"] == "False"


def test_a_report_that_nobody_signed_says_so():
    scan = world(signing=None).finished(signature="", identity="")
    assert scan.phase == "Succeeded"
    assert scan.condition("ReportSigned")["status"] == "False"


def test_a_webhook_that_was_not_told_is_told_of():
    scan = world().finished(untold="no answer within 10 s")
    assert "the webhook was not told: no answer within 10 s" in scan.condition("Ready")["message"]


def test_what_is_finished_is_never_looked_at_again():
    scan = world().finished()
    before = scan.status
    scan.objects.clear()
    scan.pods.clear()
    scan.wait(86_400)
    scan.restart()
    scan.settle()
    assert scan.status == before
    assert not scan.objects


def test_it_is_deleted_when_its_time_is_over():
    scan = world(ttlSecondsAfterFinished=60).finished()
    assert not scan.gone
    assert scan.plan().requeue_after == 60
    scan.wait(59)
    scan.pass_once()
    assert not scan.gone
    scan.wait(1)
    scan.pass_once()
    assert scan.gone


def test_its_time_can_be_changed_after_the_end():
    scan = world().finished()
    scan.edit(ttlSecondsAfterFinished=0)
    scan.pass_once()
    assert scan.gone
    assert scan.status["observedGeneration"] == 2


def test_the_operator_may_be_restarted_after_every_pass():
    scan = world()
    for _ in range(30):
        scan.restart()
        scan.pass_once()
        scan.jobs_act()
        for step, outcome in (
            ("plan", a_plan(2)),
            ("scan", ShardOutcome(index=0, counts=counts(100))),
            ("scan", ShardOutcome(index=1, counts=counts(100))),
            ("report", a_report(counts(200))),
        ):
            index = getattr(outcome, "index", 0)
            if scan.has(step):
                try:
                    scan.succeed(step, outcome, index)
                except StopIteration:
                    continue
                break
    assert scan.phase == "Succeeded"
    assert scan.reasons == ["Planned", "Scanned", "Finished"]


def test_a_plan_is_known_when_its_job_is_gone():
    scan = world().planned(4)
    del scan.objects["Job", "tickets-plan"]
    scan.pods = {name: pod for name, pod in scan.pods.items() if "-plan-" not in name}
    scan.restart()
    scan.settle()
    assert not scan.has("plan")
    assert scan.job("scan")["spec"]["completions"] == 4


def test_a_job_that_is_over_and_whose_word_is_lost_is_made_again():
    scan = world()
    scan.settle()
    scan.succeed("plan", a_plan())
    scan.pods.clear()
    scan.pass_once()
    assert not scan.has("plan")
    assert "MadeAgain" in scan.reasons
    scan.settle()
    assert scan.has("plan")
    assert scan.phase == "Planning"


def test_scan_job_deleted_by_somebody_is_made_again():
    scan = world().planned()
    del scan.objects["Job", "tickets-scan"]
    scan.pods.clear()
    scan.settle()
    assert scan.has("scan")
    assert scan.phase == "Scanning"


@pytest.mark.parametrize("edit", [{"parallelism": 1}, {"parallelism": 3}])
def test_parallelism_can_be_changed_while_it_runs(edit):
    scan = world(parallelism=2).planned(5)
    scan.edit(**edit)
    scan.settle()
    assert scan.job("scan")["spec"]["parallelism"] == edit["parallelism"]
    assert scan.job("scan")["spec"]["completions"] == 5


def test_nothing_is_written_when_there_is_nothing_to_do():
    scan = world().planned()
    for _ in range(5):
        plan = scan.plan()
        assert [step for step in plan.apply if step.manifest["kind"] == "Job"] == []
        assert plan.status == scan.status
        assert not plan.events


def test_a_change_of_the_images_does_not_reach_what_runs():
    scan = world().planned()
    scan.config = scan.config.model_copy(update={"images": scan.config.images.model_copy(update={"scan": "other:2"})})
    scan.settle()
    image = scan.job("scan")["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == "sentinel.dev/scan:dev"


def test_who_else_looks_after_it_is_left_to_it():
    scan = world(managedBy="kueue.x-k8s.io/multikueue")
    scan.settle()
    assert not scan.objects
    assert scan.condition("Ready")["reason"] == "ManagedElsewhere"
    assert scan.reasons == ["ManagedElsewhere"]
    scan.raw = {**scan.raw, "status": {"observedGeneration": 1, "phase": "Scanning"}}
    scan.settle()
    assert scan.status == {"observedGeneration": 1, "phase": "Scanning"}


def test_it_may_be_said_that_this_operator_looks_after_it():
    scan = world(managedBy="sentinel.dev/scanjob-controller")
    scan.settle()
    assert scan.phase == "Planning"


def test_a_name_that_is_taken_is_waited_for():
    scan = world()
    scan.settle()
    said = scan.refused(refusal("ConfigMap", "tickets-scan", code=409))
    assert said is not None
    assert said.status is not None
    ready = next(each for each in said.status["conditions"] if each["type"] == "Ready")
    assert ready["reason"] == "NameConflict"


def test_a_child_that_is_refused_needs_a_person():
    scan = world()
    scan.settle()
    said = scan.refused(refusal("Job", "tickets-plan", code=422, message="spec.template: forbidden"))
    assert said is not None
    assert said.status is not None
    stalled = next(each for each in said.status["conditions"] if each["type"] == "Stalled")
    assert (stalled["status"], stalled["reason"]) == ("True", "ChildRejected")
    assert scan.refused(refusal("Job", "tickets-plan", code=500)) is None


def test_a_namesakes_objects_are_left_alone_until_they_are_gone():
    scan = world()
    scan.settle()
    for raw in scan.objects.values():
        raw["metadata"]["ownerReferences"][0]["uid"] = "another"
    plan = scan.plan()
    assert not plan.apply
    assert not plan.delete
    scan.pass_once()
    assert scan.condition("Ready")["reason"] == "NameConflict"


def test_what_is_being_deleted_is_not_touched():
    scan = world()
    scan.raw["metadata"]["deletionTimestamp"] = "2025-03-01T12:00:00Z"
    plan = scan.plan()
    assert (plan.apply, plan.delete, plan.status, plan.events) == ((), (), None, ())


@pytest.mark.parametrize(
    ("arrange", "read_as"),
    [
        (ScanWorld.settle, "InProgress"),
        (ScanWorld.planned, "InProgress"),
        (ScanWorld.scanned, "InProgress"),
        (ScanWorld.finished, "Current"),
    ],
)
def test_tools_that_know_nothing_of_scans_read_it_right(arrange, read_as):
    scan = world()
    arrange(scan)
    assert kstatus(scan.raw) == read_as


def test_tools_read_a_failure_as_one_and_a_change_as_one_that_is_under_way():
    scan = world()
    scan.settle()
    scan.fail("plan", ScanExit.NotFound)
    scan.fail_job("plan")
    scan.settle()
    assert kstatus(scan.raw) == "Failed"
    scan.edit(parallelism=1)
    assert kstatus(scan.raw) == "InProgress"
    scan.settle()
    assert kstatus(scan.raw) == "Failed"
