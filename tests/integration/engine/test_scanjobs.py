"""On the real API server: ScanJobs through restarts of the operator, pods that die, and words of a user."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sentinel_operator.api.rules import FIXED
from sentinel_operator.api.scanning import Progress, ScanExit, ScanFailure, ShardOutcome
from sentinel_operator.engine.errors import ApiError
from tests.support.eventually import eventually
from tests.support.scans import NAME, SCANS, Scans, answering, opened
from tests.support.scanworld import a_plan, a_report, counts
from tests.support.toyworld import World

pytestmark = pytest.mark.integration


@pytest.fixture
async def scans(world: World) -> AsyncIterator[Scans]:
    async with opened(world) as made:
        yield made


async def ready_of(scans: Scans) -> dict:
    return next(each for each in (await scans.status())["conditions"] if each["type"] == "Ready")


async def test_a_scan_goes_on_whenever_the_operator_is_killed_and_whatever_pod_dies(scans: Scans) -> None:
    first = await scans.replica()
    await scans.declare(parallelism=2)
    await scans.reaches("Planning")
    await first.kill()
    await scans.succeed("plan", a_plan(3))
    second = await scans.replica()
    await scans.reaches("Scanning", total=3)
    job = await scans.job("scan")
    assert (job["spec"]["completions"], job["spec"]["parallelism"], job["spec"]["completionMode"]) == (3, 2, "Indexed")
    pod = await scans.pod("scan", 0)
    async with answering(pod, Progress(step="shard", index=0, counts=counts(60))) as asked:

        async def told() -> bool:
            assert asked
            return bool((await scans.status())["progress"]["scanned"] == 60)

        await eventually(told)
    await second.kill()
    await scans.fail("scan", 137, index=0)
    third = await scans.replica()
    await scans.succeed("scan", ShardOutcome(index=1, counts=counts(100)), 1)
    await scans.succeed("scan", ShardOutcome(index=2, counts=counts(100)), 2)
    await scans.reaches("Scanning", succeeded=2)
    assert (await scans.status())["progress"]["scanned"] >= 200
    await scans.succeed("scan", ShardOutcome(index=0, counts=counts(100)), 0)
    await scans.reaches("Reporting", succeeded=3, failed=0)
    await third.kill()
    await scans.succeed("report", a_report(counts(300, quarantined=4)))
    await scans.replica()
    status = await scans.reaches("Succeeded", "Finished")
    assert status["verdict"] == "Quarantined"
    assert status["progress"]["documents"] == 300
    assert status["report"]["merkleRoot"] == "e" * 64
    assert (await ready_of(scans))["status"] == "True"


async def test_a_shard_that_cannot_be_scanned_fails_alone_and_leaves_no_report(scans: Scans) -> None:
    await scans.replica()
    await scans.declare()
    await scans.succeed("plan", a_plan(2))
    torn = ScanFailure(reason="ShardUnreadable", field="spec.source.objectStore.uri", message="a.parquet is torn")
    await scans.fail("scan", ScanExit.ShardUnreadable, torn, index=1)
    await scans.reaches("Scanning", failed=1)
    await scans.succeed("scan", ShardOutcome(index=0, counts=counts(100)), 0)
    status = await scans.reaches("Failed", "ShardsFailed")
    assert status["verdict"] == "Incomplete"
    assert status["shards"]["failedIndexes"] == "1"
    assert "spec.source.objectStore.uri: a.parquet is torn" in (await ready_of(scans))["message"]
    assert not await scans.pods("report")


async def test_a_store_that_refuses_ends_it_at_once_and_names_the_field(scans: Scans) -> None:
    await scans.replica()
    await scans.declare()
    denied = ScanFailure(reason="AccessDenied", field="spec.source.objectStore", message="the store says 403")
    await scans.fail("plan", ScanExit.AccessDenied, denied)
    await scans.reaches("Failed", "AccessDenied")
    assert (await ready_of(scans))["message"] == "spec.source.objectStore: the store says 403"


async def test_suspended_it_has_no_pods_and_resumed_it_goes_on(scans: Scans) -> None:
    await scans.replica()
    await scans.declare(parallelism=1)
    await scans.succeed("plan", a_plan(2))
    await scans.succeed("scan", ShardOutcome(index=0, counts=counts(100)), 0)
    await scans.pod("scan", 1)
    await scans.edit(suspend=True)
    await scans.reaches("Suspended", "Suspended", succeeded=1, active=0)

    async def gone() -> bool:
        living = [pod for pod in await scans.pods("scan") if pod["status"]["phase"] in {"Pending", "Running"}]
        return not [pod for pod in living if not pod["metadata"].get("deletionTimestamp")]

    await eventually(gone)
    await scans.edit(suspend=False, parallelism=2)
    await scans.reaches("Scanning")
    assert (await scans.job("scan"))["spec"]["parallelism"] == 2
    await scans.succeed("scan", ShardOutcome(index=1, counts=counts(100)), 1)
    await scans.succeed("report", a_report(counts(200)))
    await scans.reaches("Succeeded")


async def test_what_it_is_cannot_be_changed(scans: Scans) -> None:
    await scans.declare()
    for change in ({"batchSize": 7}, {"source": {"textField": "body"}}, {"queueName": "datasets"}, {"signing": None}):
        (field,) = change
        with pytest.raises(ApiError, match=f"spec.{field}: .*{FIXED}"):
            await scans.edit(**change)
    await scans.edit(suspend=True, parallelism=9, ttlSecondsAfterFinished=60)


async def test_deleted_in_the_middle_it_leaves_nothing(scans: Scans) -> None:
    await scans.replica()
    await scans.declare()
    await scans.succeed("plan", a_plan(2))
    await scans.pod("scan", 0)
    assert {"Job/tickets-scan", "ConfigMap/tickets-scan"} <= await scans.left()
    await scans.api.delete(SCANS, scans.ref)

    async def nothing() -> bool:
        left = await scans.left()
        assert not left
        return True

    await eventually(nothing)


async def test_when_its_time_is_over_it_is_deleted(scans: Scans) -> None:
    await scans.replica()
    await scans.declare(ttlSecondsAfterFinished=2)
    await scans.fail("plan", ScanExit.NotFound, ScanFailure(reason="NotFound", message="there is nothing"))

    async def gone() -> bool:
        return await scans.api.find(SCANS, scans.namespace, NAME) is None and not await scans.left()

    await eventually(gone)


async def test_at_rest_nothing_is_written(scans: Scans) -> None:
    replica = await scans.replica()
    await scans.declare()
    await scans.reaches("Planning")
    await scans.pod("plan")

    async def quiet() -> bool:
        before = (await scans.api.get(SCANS, scans.namespace, NAME))["metadata"]["resourceVersion"]
        job = (await scans.job("plan"))["metadata"]["resourceVersion"]
        await replica.resync("ScanJob")
        after = (await scans.api.get(SCANS, scans.namespace, NAME))["metadata"]["resourceVersion"]
        return (before, job) == (after, (await scans.job("plan"))["metadata"]["resourceVersion"])

    await eventually(quiet)
