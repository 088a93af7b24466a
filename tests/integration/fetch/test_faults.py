"""Storage and networks that fail for a while, for good, or in the middle."""

from __future__ import annotations

import asyncio
import hashlib
import os

import pytest

from sentinel_operator.api.serving import ExitCode
from tests.integration.fetch.conftest import Bucket
from tests.integration.fetch.harness import HASTY, PATIENT, Fetcher, eventually
from tests.integration.fetch.https_server import https_server
from tests.support.cuttingproxy import CuttingProxy, Fault, http_answer, s3_error
from tests.support.weed import SECRET_KEY

pytestmark = pytest.mark.xdist_group("fetch")
OBJECT_STORE = "spec.model.source.objectStore"
MEGABYTE = 1 << 20


async def test_a_cut_download_goes_on_where_it_was_cut(fetcher: Fetcher, bucket: Bucket) -> None:
    content = os.urandom(6 * MEGABYTE)
    await bucket.put_all({"model.onnx": content})
    cuts = [Fault(cut_after=3 * MEGABYTE), Fault(cut_after=2 * MEGABYTE)]
    async with CuttingProxy.before(bucket.weed.port, *cuts) as proxy:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        config = bucket.config("model.onnx", endpoint=endpoint(proxy), digest=digest, retry=PATIENT)
        outcome = await fetcher.run(config)
    outcome.assert_ok()
    assert outcome.files() == {"model.onnx": content}
    resumed = [request.lower() for request in proxy.requests[1:]]
    assert len(resumed) == 2
    assert all(b"range: bytes=" in request and b"if-match: " in request for request in resumed)
    assert proxy.passed < len(content) + MEGABYTE, "bytes that were here already were brought again"


async def test_a_cut_download_of_a_directory_loses_no_file(fetcher: Fetcher, bucket: Bucket) -> None:
    files = {f"m/{number}": os.urandom(200_000) for number in range(12)}
    await bucket.put_all(files)
    faults = [Fault(), *[Fault(cut_after=100_000 + number) for number in range(5)], Fault(refuse=True)]
    async with CuttingProxy.before(bucket.weed.port, *faults) as proxy:
        outcome = await fetcher.run(bucket.config("m/", endpoint=endpoint(proxy), retry=PATIENT))
    outcome.assert_ok()
    assert outcome.files() == {key.removeprefix("m/"): content for key, content in files.items()}


@pytest.mark.parametrize(
    "fault",
    [
        Fault(answer=s3_error("503 Slow Down", "SlowDown")),
        Fault(answer=s3_error("500 Internal Server Error", "InternalError")),
        Fault(answer=s3_error("429 Too Many Requests", "TooManyRequests")),
        Fault(answer=http_answer("502 Bad Gateway", b"<html>not S3 at all</html>")),
        Fault(answer=b"not HTTP at all\r\n\r\n"),
        Fault(refuse=True),
        Fault(cut_after=0),
        Fault(cut_after=150),
    ],
    ids=["slow down", "500", "429", "html", "garbage", "refused", "reset before", "reset in the head"],
)
@pytest.mark.parametrize("key", ["model.onnx", "m/"])
async def test_a_passing_fault_is_survived(fetcher: Fetcher, bucket: Bucket, key: str, fault: Fault) -> None:
    await bucket.put_all({"model.onnx": b"content", "m/model.onnx": b"content"})
    async with CuttingProxy.before(bucket.weed.port, fault, fault, fault) as proxy:
        outcome = await fetcher.run(bucket.config(key, endpoint=endpoint(proxy), retry=PATIENT))
    outcome.assert_ok()
    assert outcome.files() == {"model.onnx": b"content"}
    assert any(line["message"] == "will try again" for line in outcome.logs)


@pytest.mark.parametrize("after", [0, 200, MEGABYTE], ids=["before an answer", "in the head", "in the body"])
async def test_a_silent_connection_is_given_up_and_made_anew(fetcher: Fetcher, bucket: Bucket, after: int) -> None:
    content = os.urandom(2 * MEGABYTE)
    await bucket.put_all({"model.onnx": content})
    async with CuttingProxy.before(bucket.weed.port, Fault(stall_after=after)) as proxy:
        retry = PATIENT.model_copy(update={"deadline_seconds": 6})
        outcome = await fetcher.run(bucket.config("model.onnx", endpoint=endpoint(proxy), retry=retry))
    outcome.assert_ok()
    assert outcome.files() == {"model.onnx": content}


async def test_storage_that_comes_back_before_the_deadline_is_waited_for(fetcher: Fetcher, bucket: Bucket) -> None:
    await bucket.put_all({"model.onnx": b"content"})
    async with CuttingProxy.before(bucket.weed.port) as proxy:
        port = proxy.port
    config = bucket.config("model.onnx", endpoint=f"http://127.0.0.1:{port}", retry=PATIENT)
    async with fetcher.started(config) as process:
        await eventually(lambda: "will try again" in (fetcher.root / "stderr").read_text())
        async with CuttingProxy.before(bucket.weed.port, port=port):
            outcome = await fetcher.outcome(process)
    outcome.assert_ok()
    assert outcome.files() == {"model.onnx": b"content"}


async def test_storage_that_stays_down_is_unreachable_after_the_deadline(fetcher: Fetcher, bucket: Bucket) -> None:
    async with CuttingProxy.before(bucket.weed.port) as proxy:
        gone = endpoint(proxy)
    outcome = await fetcher.run(bucket.config("model.onnx", endpoint=gone))
    outcome.assert_failed(ExitCode.StorageUnreachable, field=f"{OBJECT_STORE}.endpoint", says=gone)
    assert "unreachable for 1 s" in outcome.message
    assert SECRET_KEY not in outcome.stderr
    attempts = [line["seconds"] for line in outcome.logs if line["message"] == "will try again"]
    assert len(attempts) > 3
    assert max(attempts) <= HASTY.max_seconds


async def test_storage_that_answers_errors_for_good_is_unreachable(fetcher: Fetcher, bucket: Bucket) -> None:
    faults = [Fault(answer=s3_error("503 Slow Down", "SlowDown"))] * 500
    async with CuttingProxy.before(bucket.weed.port, *faults) as proxy:
        outcome = await fetcher.run(bucket.config("model.onnx", endpoint=endpoint(proxy)))
    outcome.assert_failed(ExitCode.StorageUnreachable, field=f"{OBJECT_STORE}.uri", says="SlowDown")


async def test_an_object_that_changes_in_the_middle_is_brought_anew_and_never_mixed(
    fetcher: Fetcher, bucket: Bucket
) -> None:
    old, new = b"old" * MEGABYTE, b"new" * MEGABYTE
    await bucket.put_all({"model.onnx": old})
    async with (
        CuttingProxy.before(bucket.weed.port, Fault(stall_after=MEGABYTE)) as proxy,
        fetcher.started(bucket.config("model.onnx", endpoint=endpoint(proxy), retry=PATIENT)) as process,
    ):
        await asyncio.wait_for(proxy.stalled.wait(), 30)
        await bucket.put_all({"model.onnx": new})
        proxy.release()
        outcome = await fetcher.outcome(process)
    outcome.assert_ok()
    assert outcome.files() == {"model.onnx": new}


async def test_a_directory_that_changes_in_the_middle_is_listed_anew(fetcher: Fetcher, bucket: Bucket) -> None:
    await bucket.put_all({"m/a": b"old", "m/b": b"old"})
    # The listing waits while the files change; what it then says is of the past.
    async with (
        CuttingProxy.before(bucket.weed.port, Fault(hold_after=1)) as proxy,
        fetcher.started(bucket.config("m/", endpoint=endpoint(proxy), retry=PATIENT)) as process,
    ):
        await asyncio.wait_for(proxy.stalled.wait(), 30)
        await bucket.put_all({"m/a": b"newer", "m/b": b"newer"})
        proxy.release()
        outcome = await fetcher.outcome(process)
    outcome.assert_ok()
    assert outcome.files() == {"a": b"newer", "b": b"newer"}


async def test_an_object_that_never_stops_changing_is_given_up(fetcher: Fetcher, bucket: Bucket) -> None:
    answers = [
        f'HTTP/1.1 200 OK\r\nContent-Length: 20\r\nETag: "{number}"\r\nConnection: close\r\n\r\n0123'.encode()
        for number in range(50)
    ]
    async with CuttingProxy.before(bucket.weed.port, *(Fault(answer=answer) for answer in answers)) as proxy:
        outcome = await fetcher.run(bucket.config("model.onnx", endpoint=endpoint(proxy), retry=PATIENT))
    outcome.assert_failed(ExitCode.StorageUnreachable, field=f"{OBJECT_STORE}.uri", says="changed 5 times")


async def test_a_store_that_ignores_conditions_cannot_mix_two_versions(fetcher: Fetcher, bucket: Bucket) -> None:
    def part(content: bytes, *, tag: str, first: int = 0, size: int = 20) -> bytes:
        status = "206 Partial Content" if first else "200 OK"
        span = f"Content-Range: bytes {first}-{size - 1}/{size}\r\n" if first else ""
        head = (
            f'HTTP/1.1 {status}\r\nContent-Length: {size - first}\r\nETag: "{tag}"\r\n{span}Connection: close\r\n\r\n'
        )
        return head.encode() + content

    answers = [
        part(b"old old ", tag="1"),
        part(b"new new new ", tag="2", first=8),  # asked for the rest of 1
        part(b"new new new new new ", tag="2"),
    ]
    async with CuttingProxy.before(bucket.weed.port, *(Fault(answer=answer) for answer in answers)) as proxy:
        outcome = await fetcher.run(bucket.config("model.onnx", endpoint=endpoint(proxy), retry=PATIENT))
    outcome.assert_ok()
    assert outcome.files() == {"model.onnx": b"new new new new new "}
    assert [b"bytes=8-" in request for request in proxy.requests] == [False, True, False]


async def test_a_store_that_ignores_ranges_is_read_from_the_start_again(fetcher: Fetcher, bucket: Bucket) -> None:
    whole = b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: "1"\r\nConnection: close\r\n\r\n0123456789'
    async with CuttingProxy.before(
        bucket.weed.port, Fault(answer=whole[:-4]), Fault(answer=whole[:-2]), Fault(answer=whole)
    ) as proxy:
        config = bucket.config("model.onnx", endpoint=endpoint(proxy), retry=PATIENT, max_bytes=10)
        outcome = await fetcher.run(config)
    outcome.assert_ok()
    assert outcome.files() == {"model.onnx": b"0123456789"}


async def test_a_body_beyond_the_limit_is_refused_though_its_size_was_not_announced(
    fetcher: Fetcher, bucket: Bucket
) -> None:
    endless = b'HTTP/1.1 200 OK\r\nETag: "1"\r\nConnection: close\r\n\r\n' + bytes(200_000)
    async with CuttingProxy.before(bucket.weed.port, Fault(answer=endless)) as proxy:
        outcome = await fetcher.run(bucket.config("model.onnx", endpoint=endpoint(proxy), max_bytes=100_000))
    outcome.assert_failed(ExitCode.ArtifactTooLarge, field="spec.model.maxBytes", says="more than 100000 bytes")


async def test_an_untrusted_certificate_is_not_waited_for(fetcher: Fetcher, bucket: Bucket) -> None:
    async with https_server({}) as server:
        config = bucket.config("model.onnx", endpoint=server.address, retry=PATIENT)
        outcome = await fetcher.run(config)
        outcome.assert_failed(ExitCode.StorageUnreachable, field=f"{OBJECT_STORE}.caBundle", says="not trusted")
        trusted = config.object_store.model_copy(update={"ca_file": str(server.ca_file)})
        outcome = await fetcher.run(config.model_copy(update={"object_store": trusted}))
        outcome.assert_failed(ExitCode.NotFound, field=f"{OBJECT_STORE}.uri")


def endpoint(proxy: CuttingProxy) -> str:
    return f"http://127.0.0.1:{proxy.port}"
