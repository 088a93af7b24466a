"""Fetching from a mounted volume."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sentinel_operator.api.serving import ExitCode
from sentinel_workloads.fetch.artifact import digest_of
from tests.integration.fetch.harness import COMMAND, DROP_PRIVILEGES, Fetcher, write_files

pytestmark = pytest.mark.xdist_group("fetch")
SOURCE = "spec.model.source"
STORE = "spec.model.source.objectStore"


async def test_a_file_and_a_directory_are_copied(fetcher: Fetcher, tmp_path: Path) -> None:
    root = write_files(tmp_path / "my model #1", {"model.onnx": os.urandom(3_000_000), "a/b.json": b"{}"})
    outcome = await fetcher.run({"uri": root.as_uri(), "digest": digest_of(root)})
    outcome.assert_ok()
    assert set(outcome.files()) == {"model.onnx", "a/b.json"}
    outcome = await fetcher.run({"uri": (root / "model.onnx").as_uri(), "digest": digest_of(root / "model.onnx")})
    outcome.assert_ok()
    assert outcome.files() == {"model.onnx": (root / "model.onnx").read_bytes()}


async def test_what_is_served_is_a_copy(fetcher: Fetcher, tmp_path: Path) -> None:
    root = write_files(tmp_path / "volume", {"model.onnx": b"good"})
    outcome = await fetcher.run({"uri": root.as_uri(), "digest": digest_of(root)})
    outcome.assert_ok()
    (root / "model.onnx").write_bytes(b"evil")
    assert outcome.files() == {"model.onnx": b"good"}


@pytest.mark.parametrize("kind", ["file", "folder", "root", "single", "pipe"])
async def test_links_and_pipes_are_refused(fetcher: Fetcher, tmp_path: Path, kind: str) -> None:
    secret = write_files(tmp_path / "elsewhere", {"secret": b"not for you"})
    root = write_files(tmp_path / "volume", {"model.onnx": b"1"})
    uri = root.as_uri()
    match kind:
        case "file":
            (root / "x").symlink_to(secret / "secret")
        case "folder":
            (root / "x").symlink_to(secret)
        case "root":
            (tmp_path / "link").symlink_to(secret)
            uri = (tmp_path / "link").as_uri()
        case "single":
            (tmp_path / "link").symlink_to(secret / "secret")
            uri = (tmp_path / "link").as_uri()
        case _:
            os.mkfifo(root / "x")
    outcome = await fetcher.run({"uri": uri})
    outcome.assert_failed(ExitCode.InvalidConfig, field=SOURCE, says="link" if kind != "pipe" else "neither")


async def test_what_is_missing_is_not_found(fetcher: Fetcher, tmp_path: Path) -> None:
    outcome = await fetcher.run({"uri": (tmp_path / "none").as_uri()})
    outcome.assert_failed(ExitCode.NotFound, field=SOURCE, says="does not exist")
    (tmp_path / "empty").mkdir()
    outcome = await fetcher.run({"uri": (tmp_path / "empty").as_uri()})
    outcome.assert_failed(ExitCode.NotFound, field=SOURCE, says="holds no file")


async def test_what_may_not_be_read_is_denied(fetcher: Fetcher, tmp_path: Path) -> None:
    fetcher.command = (*DROP_PRIVILEGES, *COMMAND)
    root = write_files(tmp_path / "volume", {"model.onnx": b"1"})
    (root / "model.onnx").chmod(0)
    outcome = await fetcher.run({"uri": root.as_uri()})
    outcome.assert_failed(ExitCode.AccessDenied, field=SOURCE, says="may not be read")


async def test_too_large_a_directory_is_refused(fetcher: Fetcher, tmp_path: Path) -> None:
    root = write_files(tmp_path / "volume", {"a": bytes(600), "b": bytes(600)})
    outcome = await fetcher.run({"uri": root.as_uri(), "maxBytes": 1000})
    outcome.assert_failed(ExitCode.ArtifactTooLarge, field="spec.model.maxBytes", says="1200 bytes")


async def test_a_full_volume_says_so(fetcher: Fetcher, tmp_path: Path) -> None:
    root = write_files(tmp_path / "volume", {"model.onnx": bytes(2_000_000)})
    # No file may grow beyond 1 MB: what a quota would do, without needing a volume of that size.
    fetcher.command = ("prlimit", "--fsize=1000000", *COMMAND)
    outcome = await fetcher.run({"uri": root.as_uri()})
    outcome.assert_failed(ExitCode.NoSpace, field="spec.pod.resources", says="model.onnx")


async def test_more_than_the_volume_has_free_is_not_begun(fetcher: Fetcher, tmp_path: Path) -> None:
    root = write_files(tmp_path / "volume", {"model.onnx": b""})
    os.truncate(root / "model.onnx", 8 << 40)
    outcome = await fetcher.run({"uri": root.as_uri(), "maxBytes": 1 << 60})
    outcome.assert_failed(ExitCode.NoSpace, field="spec.pod.resources", says="are free")


@pytest.mark.parametrize(
    ("config", "field", "says"),
    [
        ("{", "", "JSON"),
        ("{}", "", "uri: Field required"),
        ({"uri": "ftp://host/x"}, SOURCE, "s3://, https:// or file:///"),
        ({"uri": "http://host/x"}, SOURCE, "s3://, https:// or file:///"),
        ({"uri": "model.onnx"}, SOURCE, "nothing"),
        ({"uri": "file://host/x"}, SOURCE, "absolute path"),
        ({"uri": "file:///mnt/../etc/passwd"}, SOURCE, "lead out"),
        ({"uri": "file:///mnt/%2e%2e/etc"}, SOURCE, "lead out"),
        ({"uri": "s3:///key"}, f"{STORE}.uri", "no bucket"),
        ({"uri": "s3://UPPER/key"}, f"{STORE}.uri", "UPPER"),
        ({"uri": "s3://bucket/key", "objectStore": {"endpoint": "nonsense"}}, f"{STORE}.endpoint", "nonsense"),
        ({"uri": "s3://bucket/key", "objectStore": {"region": "not a region"}}, f"{STORE}.region", "region"),
        ({"uri": "s3://bucket/key", "objectStore": {"caFile": "/none.pem"}}, f"{STORE}.caBundle", "none.pem"),
        ({"uri": "s3://bucket/key", "objectStore": {"caFile": "/dev/null"}}, f"{STORE}.caBundle", "/dev/null"),
        ({"uri": "https://host/x", "objectStore": {"caFile": "/none.pem"}}, f"{SOURCE}.https.caBundle", "none.pem"),
        ({"uri": "file:///x", "digest": "sha256:123"}, "spec.model.digest", "64 hexadecimal digits"),
        ({"uri": "file:///x", "verify": "Enforce"}, "spec.model.verify.authorities", "no authority"),
        ({"uri": "file:///x", "verify": "Perhaps"}, "", "verify"),
    ],
)
async def test_a_configuration_that_cannot_be_followed_says_where(
    fetcher: Fetcher, config: dict[str, object] | str, field: str, says: str
) -> None:
    fetcher.env.update(AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="y")
    if isinstance(config, dict):
        config = {**config, "retry": {"deadlineSeconds": 1}}
    outcome = await fetcher.run(config)
    outcome.assert_failed(ExitCode.InvalidConfig, field=field, says=says)


async def test_no_configuration_at_all_is_named(fetcher: Fetcher) -> None:
    outcome = await fetcher.run(None)
    outcome.assert_failed(ExitCode.InvalidConfig, field="", says="fetch.json cannot be read")
