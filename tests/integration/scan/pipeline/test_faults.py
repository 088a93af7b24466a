"""A store that fails for a while costs time and nothing else; objects that change meanwhile are Errors, and counted."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from sentinel_operator.api.scanning import Progress, ResultLine, ScanExit
from sentinel_operator.api.serving import Retry
from sentinel_workloads.objectstore.failures import Failure
from sentinel_workloads.scan.shard.listen import listening
from sentinel_workloads.scan.shard.tally import Tally
from tests.integration.scan.pipeline.scene import HASTY, Scene, rows
from tests.support.cuttingproxy import CuttingProxy, Fault, s3_error
from tests.support.weed import READER_ACCESS_KEY, READER_SECRET_KEY

pytestmark = pytest.mark.xdist_group("scan")
PASSING = {
    "refused": [Fault(refuse=True)] * 12,
    "throttled": [Fault(answer=s3_error("503 Slow Down", "SlowDown"))] * 12,
    "broken": [Fault(answer=s3_error("500 Internal Server Error", "InternalError"))] * 12,
    "cut in the head": [Fault(cut_after=100)] * 6,
    "cut in the body": [Fault(cut_after=cut) for cut in (2_000, 50_000, 100_000, 200_000)],
    "all at once": [
        Fault(refuse=True),
        Fault(answer=s3_error("503 Slow Down", "SlowDown")),
        Fault(cut_after=120_000),
        Fault(answer=s3_error("429 Too Many Requests", "TooManyRequests")),
        Fault(cut_after=50),
    ],
}
OBJECTS = {"a.jsonl": rows(3000), "b.txt": b"A text by itself.", "c.csv": b"text\n" + b"a row of it\n" * 20}


@pytest.mark.parametrize("faults", PASSING.values(), ids=PASSING)
@pytest.mark.parametrize("side", ["source", "output"])
async def test_a_fault_that_passes_changes_nothing(scene: Scene, faults: list[Fault], side: str) -> None:
    await scene.put(OBJECTS)
    calm = scene.config(job="calm", shards=1, batch_size=1024)
    calm_lines, calm_conclusion = await scene.scan(calm)
    config = scene.config(shards=1, batch_size=1024)
    await scene.plan(config)
    async with CuttingProxy.before(scene.weed.port, *faults) as proxy:
        ports = {f"{side}_port": proxy.port}
        await scene.shard(scene.config(shards=1, batch_size=1024, **ports))
        assert proxy.connections > 1
    conclusion = await scene.conclude(config)
    assert [line async for line in conclusion.lines()] == calm_lines
    assert conclusion.dataset_digest == calm_conclusion.dataset_digest


async def test_a_plan_is_made_in_spite_of_faults(scene: Scene) -> None:
    await scene.put(OBJECTS)
    faults = [Fault(refuse=True), Fault(answer=s3_error("503 Slow Down", "SlowDown")), Fault(cut_after=80)]
    async with (
        CuttingProxy.before(scene.weed.port, *faults) as source,
        CuttingProxy.before(scene.weed.port, *faults) as output,
    ):
        planned = await scene.plan(scene.config(source_port=source.port, output_port=output.port))
    assert planned.objects == len(OBJECTS)


async def test_a_store_that_stays_away_ends_the_pod_with_its_reason_and_nothing_is_lost(scene: Scene) -> None:
    await scene.put(OBJECTS)
    config = scene.config(shards=1)
    await scene.plan(config)
    async with CuttingProxy.before(scene.weed.port) as proxy:
        gone = proxy.port
    short = Retry(deadline_seconds=0.5, initial_seconds=0.01, max_seconds=0.1)
    with pytest.raises(Failure) as failure:
        await scene.shard(scene.config(shards=1, source_port=gone, retry=short))
    assert (failure.value.code.name, failure.value.field) == (
        ScanExit.StorageUnreachable.name,
        "spec.source.objectStore.endpoint",
    )
    counts = await scene.shard(config)
    assert counts.documents == 3021


@pytest.mark.parametrize("times", [1, 2])
async def test_bytes_that_are_not_those_of_their_checksum_are_not_judged(scene: Scene, times: int) -> None:
    await scene.put({"a.txt": b"This is what was stored."})
    config = scene.config(shards=1)
    await scene.plan(config)
    head = await scene.client.head_object(Bucket=scene.bucket, Key="data/a.txt")
    wrong = answered(b"This is what was st0red.", head["ETag"])
    async with CuttingProxy.before(scene.weed.port, *[Fault(answer=wrong)] * times) as proxy:
        await scene.shard(scene.config(shards=1, source_port=proxy.port))
    conclusion = await scene.conclude(config)
    assert (conclusion.counts.clean, conclusion.counts.documents) == (1, 1)


async def test_rows_of_a_stream_with_a_wrong_checksum_are_not_allowed(scene: Scene) -> None:
    content = rows(100)
    await scene.put({"a.jsonl": content})
    config = scene.config(shards=1)
    await scene.plan(config)
    head = await scene.client.head_object(Bucket=scene.bucket, Key="data/a.jsonl")
    wrong = answered(content.replace(b"rainfall", b"rain-all"), head["ETag"])
    async with CuttingProxy.before(scene.weed.port, Fault(answer=wrong)) as proxy:
        await scene.shard(scene.config(shards=1, source_port=proxy.port))
    conclusion = await scene.conclude(config)
    assert (conclusion.counts.failed, conclusion.allowed) == (1, 0)
    assert conclusion.unread == (1, ("a.jsonl",))
    assert [line.reasons[0].rule async for line in conclusion.lines() if line.reasons] == ["wrong-checksum"]


def answered(body: bytes, etag: str) -> bytes:
    """An answer whose body is not that of the checksum it bears."""
    lines = [
        "HTTP/1.1 200 OK",
        f"ETag: {etag}",
        f"Content-Length: {len(body)}",
        "x-amz-checksum-crc32: AAAAAA==",
        "Content-Type: binary/octet-stream",
        "Connection: close",
    ]
    return "\r\n".join((*lines, "", "")).encode() + body


@pytest.mark.parametrize("change", ["changed", "vanished"])
@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.csv", "a.bin"])
async def test_an_object_that_is_not_what_was_planned_is_an_error_and_the_others_go_on(
    scene: Scene, change: str, name: str
) -> None:
    await scene.put({name: b"text\n" * 10, "b.txt": b"It stays.", "c.jsonl": rows(5)})
    config = scene.config(shards=1)
    await scene.plan(config)
    if change == "changed":
        await scene.put({name: b"text\nother\n"})
    else:
        await scene.client.delete_object(Bucket=scene.bucket, Key=f"data/{name}")
    await scene.put({"new.txt": b"Nobody has planned it."})
    await scene.shard(config)
    conclusion = await scene.conclude(config)
    lines = [line async for line in conclusion.lines()]
    failed = [line for line in lines if line.verdict == "Error"]
    assert [(line.object, line.reasons[0].rule) for line in failed] == [
        (name, {"changed": "changed-during-scan"}.get(change, "vanished"))
    ]
    assert {line.object for line in lines} == {name, "b.txt", "c.jsonl"}
    assert conclusion.unread == (1, (name,))
    assert conclusion.clean_file
    assert name not in conclusion.clean_file.read_text()


async def test_an_object_that_changes_while_it_is_read_is_not_allowed(scene: Scene) -> None:
    content = rows(30_000)
    await scene.put({"a.jsonl": content})
    config = scene.config(shards=1, batch_size=512)
    await scene.plan(config)
    async with CuttingProxy.before(scene.weed.port, Fault(stall_after=400_000)) as proxy:
        scanning = asyncio.create_task(scene.shard(scene.config(shards=1, batch_size=512, source_port=proxy.port)))
        async with asyncio.timeout(HASTY.deadline_seconds):
            await proxy.stalled.wait()
        await scene.put({"a.jsonl": content.replace(b"late", b"soon")})
        proxy.release()
        await scanning
    found: list[Any] = await scene.lines(config, 1)
    lines = [item for item in found if isinstance(item, ResultLine)]
    assert lines[-1].reasons[0].rule == "changed-during-scan"
    assert {line.verdict for line in lines[:-1]} <= {"Clean"}
    conclusion = await scene.conclude(config)
    assert (conclusion.allowed, conclusion.unread[0]) == (0, 1)


async def test_credentials_that_may_not_read_are_named(scene: Scene) -> None:
    await scene.put(OBJECTS)
    folder = scene.folder / "credentials"
    folder.mkdir()
    (folder / "AWS_ACCESS_KEY_ID").write_text(READER_ACCESS_KEY)
    (folder / "AWS_SECRET_ACCESS_KEY").write_text(READER_SECRET_KEY)
    source = scene.store("data/").model_copy(update={"credentials_dir": str(folder)})
    with pytest.raises(Failure) as failure:
        await scene.plan(scene.config(source=source))
    assert (failure.value.code.name, failure.value.field) == (
        ScanExit.AccessDenied.name,
        "spec.source.objectStore.credentialsSecretRef",
    )


async def test_a_running_pod_tells_how_far_it_is(scene: Scene) -> None:
    await scene.put(OBJECTS)
    config = scene.config(shards=1)
    await scene.plan(config)
    counts = await scene.shard(config)
    tally = Tally(index=0, total_bytes=7)
    tally.start(counts, ignored=1)
    async with (
        listening(0, progress=lambda: tally.progress, metrics=tally.metrics, host="127.0.0.1") as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}", timeout=aiohttp.ClientTimeout(total=10)) as client,
    ):
        answer = await client.get("/progress")
        progress = Progress.model_validate_json(await answer.read())
        assert (progress.step, progress.counts, progress.total_bytes) == ("shard", counts, 7)
        text = await (await client.get("/metrics")).text()
        assert "sentinel_scan_cache_segments_ignored 1.0" in text
        assert "sentinel_scan_batch_seconds_count 0.0" in text
