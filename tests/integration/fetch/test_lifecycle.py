"""Starts, restarts, signals, and what the process leaves of itself on the machine."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from sentinel_operator.api.serving import ExitCode
from sentinel_workloads.fetch.artifact import digest_of
from tests.integration.fetch.conftest import Bucket
from tests.integration.fetch.harness import COMMAND, HASTY, PATIENT, Fetcher, eventually, write_files
from tests.integration.fetch.signing import KeylessSigner, KeySigner, a_signed_model
from tests.support.cuttingproxy import CuttingProxy, Fault
from tests.support.sigstore_mock import SigstoreMock

pytestmark = pytest.mark.xdist_group("fetch")
MEGABYTE = 1 << 20
# Reports on standard error what the process opens to write, makes, renames or removes.
WATCHED = """
import os, runpy, sys
def watch(event, args):
    if event == "open" and isinstance(args[0], str) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        paths = args[:1]
    elif event.removeprefix("os.") in {"mkdir", "rename", "remove", "rmdir", "chmod", "link", "symlink", "truncate"}:
        paths = [arg for arg in args[:2] if isinstance(arg, str)]
    else:
        return
    for path in paths:
        os.write(2, f"WROTE {os.path.abspath(path)}\\n".encode())
sys.addaudithook(watch)
runpy.run_module("sentinel_workloads.fetch", run_name="__main__")
"""
# Reports the most memory that the process ever held.
MEASURED = """
import atexit, re, runpy
atexit.register(lambda: print("PEAK", re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]))
runpy.run_module("sentinel_workloads.fetch", run_name="__main__")
"""


async def test_the_command_of_the_image_runs_as_it_is(fetcher: Fetcher, tmp_path: Path) -> None:
    root = write_files(tmp_path / "model", {"a": b"1"})
    fetcher.command = COMMAND
    (await fetcher.run({"uri": root.as_uri(), "digest": digest_of(root)})).assert_ok()
    outcome = await fetcher.run({"uri": root.as_uri(), "digest": f"sha256:{'0' * 64}"})
    outcome.assert_failed(ExitCode.DigestMismatch, field="spec.model.digest")


async def test_a_container_that_starts_again_keeps_its_copy_without_asking_storage(
    fetcher: Fetcher, bucket: Bucket
) -> None:
    await bucket.put_all({"m/a": b"1", "m/b": b"2"})
    async with CuttingProxy.before(bucket.weed.port) as proxy:
        config = bucket.config("m/", endpoint=f"http://127.0.0.1:{proxy.port}")
        first = await fetcher.run(config)
    first.assert_ok()
    again = await fetcher.run(config)  # storage is gone by now
    again.assert_ok()
    assert again.verification == first.verification


@pytest.mark.parametrize("how", ["changed", "extra", "missing", "verdict"])
async def test_a_copy_that_changed_is_brought_again(fetcher: Fetcher, tmp_path: Path, how: str) -> None:
    root = write_files(tmp_path / "model", {"a": b"1", "b": b"2"})
    config = {"uri": root.as_uri(), "digest": digest_of(root)}
    (await fetcher.run(config)).assert_ok()
    artifact = fetcher.out / "artifact"
    artifact.chmod(0o755)
    match how:
        case "changed":
            (artifact / "a").chmod(0o644)
            (artifact / "a").write_bytes(b"evil")
        case "extra":
            (artifact / "c").write_bytes(b"evil")
        case "missing":
            (artifact / "a").unlink()
        case _:
            (fetcher.out / "verified.json").unlink()
    outcome = await fetcher.run(config)
    outcome.assert_ok()
    assert outcome.files() == {"a": b"1", "b": b"2"}


async def test_another_configuration_is_fetched_anew(fetcher: Fetcher, tmp_path: Path) -> None:
    one, two = write_files(tmp_path / "one", {"a": b"1"}), write_files(tmp_path / "two", {"b": b"2"})
    (await fetcher.run({"uri": one.as_uri()})).assert_ok()
    outcome = await fetcher.run({"uri": two.as_uri()})
    outcome.assert_ok()
    assert outcome.files() == {"b": b"2"}
    # What was verified for one configuration says nothing for a stricter one.
    outcome = await fetcher.run({"uri": two.as_uri(), "digest": f"sha256:{'0' * 64}"})
    outcome.assert_failed(ExitCode.DigestMismatch, field="spec.model.digest")


async def test_the_same_configuration_with_another_key_is_verified_anew(fetcher: Fetcher, tmp_path: Path) -> None:
    key, other = KeySigner.new(tmp_path / "key"), KeySigner.new(tmp_path / "other")
    root = a_signed_model(tmp_path / "model", key)
    authority = key.authority.model_dump(by_alias=True)
    config = {"uri": root.as_uri(), "verify": "Enforce", "authorities": [authority]}
    (await fetcher.run(config)).assert_ok()
    (other.folder / "key.pub").replace(key.folder / "key.pub")
    outcome = await fetcher.run(config)
    outcome.assert_failed(ExitCode.SignatureInvalid, field="spec.model.verify")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
async def test_a_run_that_ends_in_the_middle_hands_nothing_over_and_the_next_succeeds(
    fetcher: Fetcher, bucket: Bucket, number: signal.Signals
) -> None:
    content = os.urandom(4 * MEGABYTE)
    await bucket.put_all({"m/a": content, "m/b": content})
    fetcher.command = COMMAND
    faults = [Fault(), Fault(stall_after=MEGABYTE), Fault(stall_after=MEGABYTE)]
    async with CuttingProxy.before(bucket.weed.port, *faults) as proxy:
        config = bucket.config("m/", endpoint=f"http://127.0.0.1:{proxy.port}", retry=PATIENT)
        async with fetcher.started(config) as process:
            await asyncio.wait_for(proxy.stalled.wait(), 30)
            await eventually(lambda: any((fetcher.out / ".incoming").rglob("*")))
            process.send_signal(number)
            outcome = await fetcher.outcome(process)
    assert not (fetcher.out / "verified.json").exists()
    assert not (fetcher.out / "artifact").exists()
    if number is signal.SIGTERM:
        assert outcome.code == 128 + signal.SIGTERM
        assert outcome.left() == []
    outcome = await fetcher.run(bucket.config("m/", retry=PATIENT))
    outcome.assert_ok()
    assert outcome.left() == ["artifact", "artifact/a", "artifact/b", "fetched.json", "verified.json"]


async def test_a_large_object_needs_no_more_memory_than_a_small_one(fetcher: Fetcher, bucket: Bucket) -> None:
    size, part = 300 * MEGABYTE, os.urandom(30 * MEGABYTE)
    await upload_in_parts(bucket, "large/model.onnx", part, count=size // len(part))
    await bucket.put_all({"small/model.onnx": b"1"})
    fetcher.command = (sys.executable, "-c", MEASURED)

    async def peak(key: str) -> int:
        outcome = await fetcher.run(bucket.config(key, retry=PATIENT))
        outcome.assert_ok()
        return int(re.search(r"PEAK (\d+)", (fetcher.root / "stdout").read_text())[1]) * 1024  # type: ignore[index]

    small = await peak("small/")
    large = await peak("large/")
    assert (fetcher.out / "artifact" / "model.onnx").stat().st_size == size
    assert large - small < 64 * MEGABYTE


async def upload_in_parts(bucket: Bucket, key: str, part: bytes, *, count: int) -> None:
    target = {"Bucket": bucket.name, "Key": key}
    upload = (await bucket.client.create_multipart_upload(**target))["UploadId"]
    parts = []
    for number in range(1, count + 1):
        answer = await bucket.client.upload_part(**target, UploadId=upload, PartNumber=number, Body=part)
        parts.append({"PartNumber": number, "ETag": answer["ETag"]})
    await bucket.client.complete_multipart_upload(**target, UploadId=upload, MultipartUpload={"Parts": parts})


@pytest.mark.parametrize("source", ["bucket", "volume"])
async def test_nothing_is_written_outside_its_folders(
    fetcher: Fetcher, bucket: Bucket, tmp_path: Path, sigstore: SigstoreMock, source: str
) -> None:
    signer = KeylessSigner(sigstore)
    root = a_signed_model(tmp_path / "model", signer)
    names = [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]
    await bucket.put_all({f"m/{name}": (root / name).read_bytes() for name in names})
    config = bucket.config(
        "m/", verify="Enforce", authorities=(signer.authority(),), digest=digest_of(root), cache_dir=str(fetcher.cache)
    )
    if source == "volume":
        config = config.model_copy(update={"uri": root.as_uri()})
    fetcher.command = (sys.executable, "-c", WATCHED)
    outcome = await fetcher.run(config)
    assert outcome.code == ExitCode.Ok, outcome.stderr
    wrote = {Path(line.removeprefix("WROTE ")) for line in outcome.stderr.splitlines() if line.startswith("WROTE ")}
    allowed = (fetcher.out, fetcher.cache, fetcher.root / "termination", Path(os.devnull))
    assert wrote, "the watch does not work"
    outside = {path for path in wrote if not any(path == root or path.is_relative_to(root) for root in allowed)}
    assert outside == set()
    for name in ("home", "tmp", "cwd"):
        assert list((fetcher.root / name).iterdir()) == []


async def test_what_verifies_signatures_is_imported_only_when_asked_for(fetcher: Fetcher, tmp_path: Path) -> None:
    root = write_files(tmp_path / "model", {"a": b"1"})
    fetcher.command = (sys.executable, "-X", "importtime", "-m", "sentinel_workloads.fetch")
    await fetcher.run({"uri": root.as_uri()})
    imported = (fetcher.root / "stderr").read_text()
    assert "sentinel_workloads.fetch.run" in imported
    assert not re.search(r"\| +(sigstore|model_signing|cryptography|botocore|aiobotocore|aiohttp)\b", imported)


async def test_the_message_stays_within_what_kubernetes_keeps(fetcher: Fetcher, tmp_path: Path) -> None:
    outcome = await fetcher.run({"uri": "file:///" + "ü" * 3000, "retry": HASTY.model_dump(by_alias=True)})
    assert outcome.code != ExitCode.Ok
    assert outcome.message.endswith("…")
    assert len((fetcher.root / "termination").read_bytes()) <= 4096
