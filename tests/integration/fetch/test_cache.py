"""Starting from a cached copy while storage cannot be reached."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sentinel_operator.api.serving import ExitCode, FetchConfig
from sentinel_workloads.fetch.artifact import digest_of
from tests.integration.fetch.conftest import Bucket
from tests.integration.fetch.harness import Fetcher, write_files
from tests.integration.fetch.signing import FILES, KeySigner, a_signed_file, a_signed_model
from tests.support.cuttingproxy import CuttingProxy

pytestmark = pytest.mark.xdist_group("fetch")
ENDPOINT = "spec.model.source.objectStore.endpoint"


@pytest.fixture
async def down() -> str:
    """An endpoint behind which nothing listens."""
    async with CuttingProxy.before(1) as proxy:
        return f"http://127.0.0.1:{proxy.port}"


@pytest.fixture
def key(tmp_path: Path) -> KeySigner:
    return KeySigner.new(tmp_path / "key")


async def a_cached_directory(fetcher: Fetcher, bucket: Bucket, tmp_path: Path, key: KeySigner) -> FetchConfig:
    """The configuration of a signed model that was fetched and cached."""
    root = a_signed_model(tmp_path / "model", key)
    await bucket.put_all({f"m/{name}": (root / name).read_bytes() for name in (*FILES, "model.sig")})
    config = bucket.config(
        "m/",
        digest=digest_of(root),
        verify="Enforce",
        authorities=(key.authority,),
        cache_dir=str(fetcher.cache),
        cache_max_bytes=1_000_000,
    )
    outcome = await fetcher.run(config)
    outcome.assert_ok()
    assert outcome.verification["fromCache"] is False
    return config


async def a_cached_file(fetcher: Fetcher, bucket: Bucket, tmp_path: Path, key: KeySigner) -> FetchConfig:
    file = a_signed_file(tmp_path / "model.onnx", key)
    signature = (tmp_path / "model.onnx.sig").read_bytes()
    await bucket.put_all({"model.onnx": file.read_bytes(), "model.onnx.sig": signature})
    config = bucket.config(
        "model.onnx",
        digest=digest_of(file),
        verify="Enforce",
        authorities=(key.authority,),
        cache_dir=str(fetcher.cache),
    )
    (await fetcher.run(config)).assert_ok()
    return config


def while_down(config: FetchConfig, endpoint: str) -> FetchConfig:
    access = config.object_store.model_copy(update={"endpoint": endpoint})
    return config.model_copy(update={"object_store": access})


def entries(fetcher: Fetcher) -> set[str]:
    return {path.name for path in fetcher.cache.iterdir() if path.name != ".lock"}


async def test_a_directory_is_started_from_the_cache_and_verified_again(
    fetcher: Fetcher, bucket: Bucket, tmp_path: Path, key: KeySigner, down: str
) -> None:
    config = while_down(await a_cached_directory(fetcher, bucket, tmp_path, key), down)
    outcome = await fetcher.run(config)
    outcome.assert_ok()
    assert outcome.verification["fromCache"] is True
    assert outcome.verification["authority"] == "release"
    assert set(outcome.files()) == {*FILES, "model.sig"}


async def test_a_file_is_started_from_the_cache_under_its_own_name(
    fetcher: Fetcher, bucket: Bucket, tmp_path: Path, key: KeySigner, down: str
) -> None:
    config = while_down(await a_cached_file(fetcher, bucket, tmp_path, key), down)
    outcome = await fetcher.run(config)
    outcome.assert_ok()
    assert outcome.verification["fromCache"] is True
    assert outcome.verification["authority"] == "release"
    assert outcome.files() == {"model.onnx": b"weights"}


@pytest.mark.parametrize("how", ["changed", "extra", "link", "empty", "grown"])
async def test_a_poisoned_entry_is_detected_and_deleted(
    fetcher: Fetcher, bucket: Bucket, tmp_path: Path, key: KeySigner, down: str, how: str
) -> None:
    config = await a_cached_directory(fetcher, bucket, tmp_path, key)
    artifact = next(fetcher.cache.glob("sha256-*")) / "artifact"
    artifact.chmod(0o755)
    (artifact / "model.onnx").chmod(0o644)
    match how:
        case "changed":
            (artifact / "model.onnx").write_bytes(b"evil" * 1750)
        case "extra":
            (artifact / "evil.bin").write_bytes(b"evil")
        case "link":
            (artifact / "evil.bin").symlink_to("/etc/passwd")
        case "empty":
            for path in sorted(artifact.rglob("*"), reverse=True):
                path.parent.chmod(0o755)
                path.unlink() if path.is_file() else path.rmdir()
        case _:
            os.truncate(artifact / "model.onnx", config.max_bytes + 1)
    outcome = await fetcher.run(while_down(config, down))
    outcome.assert_failed(ExitCode.StorageUnreachable, field=ENDPOINT, says="cached copy is not accepted")
    assert entries(fetcher) == set()
    # With storage back, the entry is made anew.
    (await fetcher.run(config)).assert_ok()
    assert len(entries(fetcher)) == 1


async def test_a_cached_copy_without_an_accepted_signature_is_not_used(
    fetcher: Fetcher, bucket: Bucket, tmp_path: Path, key: KeySigner, down: str
) -> None:
    config = await a_cached_directory(fetcher, bucket, tmp_path, key)
    other = KeySigner.new(tmp_path / "other", name="other")
    stricter = while_down(config, down).model_copy(update={"authorities": (other.authority,)})
    outcome = await fetcher.run(stricter)
    outcome.assert_failed(ExitCode.StorageUnreachable, field=ENDPOINT, says="no authority accepts")
    assert len(entries(fetcher)) == 1, "another model may accept this signature"


async def test_a_new_signature_of_the_same_file_reaches_the_cache(
    fetcher: Fetcher, bucket: Bucket, tmp_path: Path, key: KeySigner, down: str
) -> None:
    config = await a_cached_file(fetcher, bucket, tmp_path, key)
    other = KeySigner.new(tmp_path / "other", name="other")
    a_signed_file(tmp_path / "again" / "model.onnx", other)
    await bucket.put_all({"model.onnx.sig": (tmp_path / "again" / "model.onnx.sig").read_bytes()})
    config = config.model_copy(update={"authorities": (other.authority,)})
    (await fetcher.run(config)).assert_ok()
    outcome = await fetcher.run(while_down(config, down))
    outcome.assert_ok()
    assert outcome.verification["authority"] == "other"


async def test_what_is_not_cached_cannot_be_started(fetcher: Fetcher, bucket: Bucket, down: str) -> None:
    config = bucket.config("m/", endpoint=down, digest=f"sha256:{'0' * 64}", cache_dir=str(fetcher.cache))
    outcome = await fetcher.run(config)
    outcome.assert_failed(ExitCode.StorageUnreachable, field=ENDPOINT, says="not in the cache")


@pytest.mark.parametrize("answer", ["missing", "denied"])
async def test_an_answer_of_storage_counts_more_than_the_cache(
    fetcher: Fetcher, bucket: Bucket, tmp_path: Path, key: KeySigner, answer: str
) -> None:
    config = await a_cached_directory(fetcher, bucket, tmp_path, key)
    config = config.model_copy(update={"max_bytes": 1_000_000})
    if answer == "missing":
        config = config.model_copy(update={"uri": f"s3://{bucket.name}/none/"})
        assert (await fetcher.run(config)).code == ExitCode.NotFound
    else:
        assert (await fetcher.run(config, AWS_SECRET_ACCESS_KEY="wrong")).code == ExitCode.AccessDenied


async def test_without_a_digest_nothing_is_cached(fetcher: Fetcher, bucket: Bucket) -> None:
    await bucket.put_all({"model.onnx": b"1"})
    (await fetcher.run(bucket.config("model.onnx", cache_dir=str(fetcher.cache)))).assert_ok()
    assert not fetcher.cache.exists()


async def test_the_least_recently_used_entry_goes_first(fetcher: Fetcher, bucket: Bucket, tmp_path: Path) -> None:
    async def fetched(name: str) -> str:
        content = {"model.onnx": name.encode() * 400}
        await bucket.put_all({f"{name}/model.onnx": content["model.onnx"]})
        digest = digest_of(write_files(tmp_path / name, content))
        config = bucket.config(f"{name}/", digest=digest, cache_dir=str(fetcher.cache), cache_max_bytes=1000)
        (await fetcher.run(config)).assert_ok()
        return digest.replace(":", "-")

    one, two = await fetched("a"), await fetched("b")
    assert entries(fetcher) == {one, two}
    await fetched("a")  # used again
    three = await fetched("c")
    assert entries(fetcher) == {one, three}
    bigger = write_files(tmp_path / "big", {"model.onnx": bytes(1001)})
    config = FetchConfig(
        uri=bigger.as_uri(), digest=digest_of(bigger), cache_dir=str(fetcher.cache), cache_max_bytes=1000
    )
    (await fetcher.run(config)).assert_ok()
    assert entries(fetcher) == {one, three}, "what does not fit at all must not empty the cache"


async def test_leftovers_of_a_killed_run_are_removed_from_the_cache(
    fetcher: Fetcher, bucket: Bucket, tmp_path: Path, key: KeySigner
) -> None:
    write_files(fetcher.cache / ".incoming-sha256-0" / "artifact", {"half": b"1"})
    (fetcher.cache / ".incoming-sha256-0" / "artifact").chmod(0o555)
    await a_cached_directory(fetcher, bucket, tmp_path, key)
    assert all(name.startswith("sha256-") for name in entries(fetcher))


async def test_a_cache_that_cannot_be_written_does_not_stop_a_start(
    fetcher: Fetcher, bucket: Bucket, tmp_path: Path
) -> None:
    await bucket.put_all({"model.onnx": b"1"})
    (tmp_path / "file").write_bytes(b"1")
    (tmp_path / "no folder").write_bytes(b"")
    config = bucket.config("model.onnx", digest=digest_of(tmp_path / "file"), cache_dir=str(tmp_path / "no folder"))
    outcome = await fetcher.run(config)
    outcome.assert_ok()
    assert "the artifact is not cached" in json.dumps(outcome.logs)
