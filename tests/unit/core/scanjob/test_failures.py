"""What goes wrong in a scan: told with the field to look at, and never taken for a result."""

from __future__ import annotations

import pytest

from sentinel_operator.api.scanning import ScanExit, ScanFailure, ShardOutcome
from tests.support.scanworld import ScanWorld, a_plan, a_scan, counts

DENIED = ScanFailure(reason="AccessDenied", field="spec.source.objectStore", message="the store says 403")


def world(**spec) -> ScanWorld:
    return ScanWorld(a_scan(**spec))


def assert_failed(scan: ScanWorld, reason: str) -> None:
    assert scan.phase == "Failed"
    assert scan.status["verdict"] == "Incomplete"
    assert scan.standing == ("False", "False", "True")
    assert scan.condition("Ready")["reason"] == reason
    assert scan.condition("Clean")["status"] == "Unknown"
    assert "report" not in scan.status
    assert not scan.has("report")
    assert scan.events[-1].type == "Warning"
    assert scan.reasons[-1] == reason


def test_a_plan_that_may_not_read_names_the_field():
    scan = world()
    scan.settle()
    scan.fail("plan", ScanExit.AccessDenied, DENIED)
    scan.fail_job("plan")
    scan.settle()
    assert_failed(scan, "AccessDenied")
    assert scan.condition("Ready")["message"] == "spec.source.objectStore: the store says 403"


def test_an_empty_prefix_is_not_clean():
    scan = world()
    scan.settle()
    scan.succeed("plan", a_plan(0, data=0))
    scan.settle()
    assert_failed(scan, "NotFound")
    assert "spec.source.objectStore.uri" in scan.condition("Ready")["message"]


def test_what_passes_is_told_while_it_is_tried_again():
    scan = world()
    scan.settle()
    scan.fail("plan", ScanExit.StorageUnreachable, ScanFailure(reason="StorageUnreachable", message="no answer"))
    scan.settle()
    scan.pods = {name: pod for name, pod in scan.pods.items() if pod["status"]["phase"] == "Failed"}
    scan.pass_once()
    assert scan.condition("Ready")["reason"] == "StorageUnreachable"
    assert scan.standing == ("False", "True", "False")
    scan.settle()
    assert scan.condition("Ready")["reason"] == "Planning"


def test_a_pod_without_a_word_is_told_by_its_code():
    scan = world()
    scan.settle()
    scan.fail("plan", 1)
    scan.fail_job("plan", "BackoffLimitExceeded")
    scan.settle()
    assert_failed(scan, "CrashLoopBackOff")


def test_a_job_that_failed_and_whose_pods_are_gone():
    scan = world()
    scan.settle()
    scan.pods.clear()
    scan.fail_job("plan", "BackoffLimitExceeded")
    scan.settle()
    assert_failed(scan, "BackoffLimitExceeded")


def test_an_outcome_that_makes_no_sense_ends_it():
    scan = world()
    scan.settle()
    scan.succeed("plan", ScanFailure(reason="what"))
    scan.settle()
    assert_failed(scan, "OutcomeUnreadable")


def test_a_shard_that_fails_for_good_leaves_no_report():
    scan = world().planned(3)
    scan.succeed("scan", ShardOutcome(index=0, counts=counts(100)), 0)
    scan.fail("scan", ScanExit.ShardUnreadable, ScanFailure(reason="ShardUnreadable", message="a.parquet: torn"), 1)
    scan.fail_index(1)
    scan.settle()
    assert scan.phase == "Scanning"
    assert scan.status["shards"] == {"total": 3, "active": 1, "succeeded": 1, "failed": 1, "failedIndexes": "1"}
    scan.succeed("scan", ShardOutcome(index=2, counts=counts(100)), 2)
    scan.settle()
    assert_failed(scan, "ShardsFailed")
    message = scan.condition("Ready")["message"]
    assert message.startswith("1 of 3 shards (1) cannot be scanned: a.parquet: torn; their documents have no verdict")
    assert scan.status["progress"]["scanned"] == 200
    assert scan.condition("Scanned")["status"] == "False"


def test_bad_configuration_stops_every_shard():
    scan = world().planned(3)
    scan.fail("scan", ScanExit.InvalidConfig, ScanFailure(reason="x", field="spec.source.textField", message="no"), 2)
    scan.fail_job("scan")
    scan.settle()
    assert_failed(scan, "InvalidConfig")
    assert scan.condition("Ready")["message"].startswith("spec.source.textField: no")


def test_a_report_over_results_that_are_not_whole_is_none():
    scan = world().scanned()
    scan.fail("report", ScanExit.ResultsMissing, ScanFailure(reason="ResultsMissing", message="shard 2 lacks part 7"))
    scan.fail_job("report")
    scan.settle()
    assert scan.phase == "Failed"
    assert scan.status["verdict"] == "Incomplete"
    assert scan.condition("Ready")["message"] == "shard 2 lacks part 7"
    assert scan.condition("ReportSigned")["status"] == "Unknown"


def test_a_detector_that_is_not_what_it_should_be_names_its_own_field():
    detector = {"model": {"version": "1", "source": {"objectStore": {"uri": "s3://models/minilm/"}}}}
    scan = world(detectors={"embedding": detector, "classifier": detector}).planned(1)
    pod = scan.running("scan")
    said = '{"reason": "DigestMismatch", "field": "spec.model.digest", "message": "is another one"}'
    ended = {"exitCode": 10, "message": said}
    pod["status"]["initContainerStatuses"] = [{"name": "fetch-classifier", "state": {"terminated": ended}}]
    pod["status"]["containerStatuses"] = [{"name": "scan", "state": {"waiting": {"reason": "PodInitializing"}}}]
    scan.pass_once()
    assert scan.condition("Ready")["reason"] == "DigestMismatch"
    assert scan.condition("Ready")["message"].startswith("spec.detectors.classifier.model.digest: is another one")


@pytest.mark.parametrize(
    ("waiting", "reason", "said"),
    [
        ({"reason": "ImagePullBackOff"}, "ImagePullBackOff", "SentinelConfig spec.images.scan: image"),
        (
            {"reason": "CreateContainerConfigError", "message": 'secret "object-store" not found'},
            "ReferenceNotFound",
            "spec.source.objectStore.credentialsSecretRef: Secret object-store does not exist",
        ),
    ],
)
def test_a_pod_that_cannot_begin_says_what_it_lacks(waiting, reason, said):
    scan = world()
    scan.settle()
    scan.running("plan")["status"]["containerStatuses"] = [
        {"name": "scan", "image": "sentinel.dev/scan:dev", "state": {"waiting": waiting}}
    ]
    scan.pass_once()
    assert scan.condition("Ready")["reason"] == reason
    assert scan.condition("Ready")["message"].startswith(said)


def test_volumes_that_never_come_are_told_with_what_may_be_missing():
    scan = world()
    scan.settle()
    pod = scan.running("plan")
    pod["status"] = {
        "phase": "Pending",
        "conditions": [
            {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2025-03-01T12:00:00Z"},
            {"type": "PodReadyToStartContainers", "status": "False"},
        ],
    }
    scan.settle()
    assert scan.plan().requeue_after == 30
    scan.wait(31)
    scan.pass_once()
    assert scan.condition("Ready")["reason"] == "ReferenceNotFound"
    message = scan.condition("Ready")["message"]
    assert "spec.source.objectStore.credentialsSecretRef (Secret object-store)" in message
    assert "spec.signing" not in message, "the pod that plans does not have the key"


def test_a_pod_that_has_ended_waits_for_no_volume():
    scan = world().planned(2)
    scan.succeed("scan", ShardOutcome(index=0, counts=counts(100)), 0)
    ended = next(pod for pod in scan.pods.values() if pod["status"]["phase"] == "Succeeded" and "-scan-" in str(pod))
    for pod in scan.pods.values():
        pod["status"]["conditions"] = [
            {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2025-03-01T12:00:00Z"},
            {"type": "PodReadyToStartContainers", "status": "False" if pod is ended else "True"},
        ]
    scan.wait(120)
    scan.settle()
    assert scan.condition("Ready")["reason"] == "Scanning"


def test_a_config_map_that_is_missing_is_waited_for():
    store = {"uri": "s3://datasets/tickets/", "caBundle": {"configMapRef": {"name": "ca", "key": "ca.crt"}}}
    scan = world(source={"objectStore": store})
    scan.settle()
    assert scan.phase == "Pending"
    assert scan.condition("Ready")["message"] == (
        "spec.source.objectStore.caBundle.configMapRef: ConfigMap team-a/ca does not exist"
    )
    assert not scan.objects
    assert scan.plan().requeue_after == 30
    scan.config_maps["ca"] = {"metadata": {"name": "ca"}, "data": {"ca.crt": "PEM"}}
    scan.settle()
    assert scan.phase == "Planning"
    assert scan.objects["ConfigMap", "tickets-scan"]["data"]["ca-source.pem"] == "PEM"
    scan.config_maps.clear()
    scan.settle()
    assert scan.phase == "Planning", "what has been copied is there"


def test_a_spec_that_is_not_understood_is_told_of():
    scan = world(source={"maxDocumentBytes": 0})
    scan.settle()
    assert not scan.objects
    assert scan.condition("Stalled")["reason"] == "InvalidSpec"
    assert "spec.source.maxDocumentBytes: must be at least 1" in scan.condition("Ready")["message"]


@pytest.mark.parametrize("code", [143, 137])
def test_a_pod_that_was_asked_to_end_did_nothing_wrong(code):
    scan = world().planned(1)
    stopped = ScanFailure(reason="Stopped", message="asked to end; another pod goes on")
    scan.fail("scan", code, stopped)
    scan.pass_once()
    assert scan.condition("Ready")["reason"] == "Scanning"
    assert not [event for event in scan.events if event.type == "Warning"]


def test_a_pod_on_its_way_out_is_no_trouble():
    scan = world().planned(1)
    scan.running("scan")["metadata"]["deletionTimestamp"] = "2025-03-01T12:00:00Z"
    scan.fail("scan", 137)
    scan.pass_once()
    assert scan.condition("Ready")["reason"] == "Scanning"
