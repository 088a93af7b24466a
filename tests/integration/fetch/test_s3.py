"""Fetching from a real S3-compatible store that checks signatures."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import os
import stat
from pathlib import Path

import pytest
from aiohttp import web

from sentinel_operator.api.serving import ExitCode, ObjectStoreAccess
from sentinel_workloads.fetch.artifact import digest_of
from tests.integration.fetch.conftest import Bucket
from tests.integration.fetch.harness import COMMAND, DROP_PRIVILEGES, Fetcher, write_files
from tests.integration.fetch.https_server import http_server
from tests.support.cuttingproxy import CuttingProxy, Fault, http_answer
from tests.support.weed import READER_ACCESS_KEY, READER_SECRET_KEY, Weed

pytestmark = pytest.mark.xdist_group("fetch")
URI = "spec.model.source.objectStore.uri"
CREDENTIALS = "spec.model.source.objectStore.credentialsSecretRef"
MODEL = {"model.onnx": os.urandom(300_000), "tokenizer/tokenizer.json": b"{}", "tokenizer/a.txt": b"", "ü.bin": b"1"}


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


async def test_a_file_is_brought_under_its_own_name_and_its_digest_verified(fetcher: Fetcher, bucket: Bucket) -> None:
    content = os.urandom(3_000_000)
    await bucket.put_all({"v1/model.onnx": content})
    outcome = await fetcher.run(bucket.config("v1/model.onnx", digest=sha256(content)))
    outcome.assert_ok()
    assert outcome.files() == {"model.onnx": content}
    assert outcome.verification["digest"] == sha256(content)
    assert (
        outcome.verification["authority"] == outcome.verification["identity"] == outcome.verification["warning"] == ""
    )
    assert outcome.verification["at"].endswith("Z")


async def test_a_prefix_is_brought_as_a_directory_with_the_canonical_digest(
    fetcher: Fetcher, bucket: Bucket, tmp_path: Path
) -> None:
    await bucket.put_all({f"models/v1/{name}": content for name, content in MODEL.items()})
    await bucket.put_all({"models/v10/other.onnx": b"not ours", "models/v1/model.sig": b"not counted"})
    expected = digest_of(write_files(tmp_path / "expected", MODEL))
    outcome = await fetcher.run(bucket.config("models/v1/", digest=expected))
    outcome.assert_ok()
    assert outcome.files() == {**MODEL, "model.sig": b"not counted"}


async def test_a_whole_bucket_is_a_directory_and_console_folders_are_no_files(fetcher: Fetcher, bucket: Bucket) -> None:
    await bucket.put_all({"a/": b"", "a/model.onnx": b"1", "b.json": b"2"})
    outcome = await fetcher.run(bucket.config(""))
    outcome.assert_ok()
    assert outcome.files() == {"a/model.onnx": b"1", "b.json": b"2"}


async def test_more_objects_than_one_page_of_the_listing_are_all_brought(fetcher: Fetcher, bucket: Bucket) -> None:
    await bucket.put_all({f"many/{number:04d}": b"x" for number in range(1100)})
    outcome = await fetcher.run(bucket.config("many/"))
    outcome.assert_ok()
    assert len(outcome.files()) == 1100


async def test_what_is_handed_over_cannot_be_written(fetcher: Fetcher, bucket: Bucket) -> None:
    await bucket.put_all({"m/a/b/model.onnx": b"1", "m/c.json": b"2"})
    outcome = await fetcher.run(bucket.config("m/"))
    outcome.assert_ok()
    root = outcome.out / "artifact"
    modes = {stat.S_IMODE(path.stat().st_mode) for path in [root, *root.rglob("*")] if path.is_dir()}
    assert modes == {0o555}
    assert {stat.S_IMODE(path.stat().st_mode) for path in root.rglob("*") if path.is_file()} == {0o444}


async def test_the_wrong_digest_is_refused_and_both_digests_are_named(fetcher: Fetcher, bucket: Bucket) -> None:
    await bucket.put_all({"model.onnx": b"changed"})
    outcome = await fetcher.run(bucket.config("model.onnx", digest=sha256(b"original")))
    outcome.assert_failed(ExitCode.DigestMismatch, field="spec.model.digest", says=sha256(b"changed"))
    assert sha256(b"original") in outcome.message


async def test_a_missing_object_is_not_retried(fetcher: Fetcher, bucket: Bucket) -> None:
    async with CuttingProxy.before(bucket.weed.port) as proxy:
        outcome = await fetcher.run(bucket.config("none.onnx", endpoint=f"http://127.0.0.1:{proxy.port}"))
    outcome.assert_failed(ExitCode.NotFound, field=URI, says="NoSuchKey")
    assert len(proxy.requests) == 1


async def test_an_empty_prefix_is_not_found(fetcher: Fetcher, bucket: Bucket) -> None:
    outcome = await fetcher.run(bucket.config("none/"))
    outcome.assert_failed(ExitCode.NotFound, field=URI, says="no object below")


@pytest.mark.parametrize("key", ["model.onnx", "prefix/"])
async def test_a_missing_bucket_is_not_found(fetcher: Fetcher, bucket: Bucket, key: str) -> None:
    outcome = await fetcher.run(bucket.config(key).model_copy(update={"uri": f"s3://no-such-bucket/{key}"}))
    outcome.assert_failed(ExitCode.NotFound, field=URI, says="NoSuchBucket")


@pytest.mark.parametrize("key", ["model.onnx", "prefix/"])
@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "not-the-secret-of-this-key"}, "SignatureDoesNotMatch"),
        ({"AWS_ACCESS_KEY_ID": "AKIANOTEXIST00000000"}, "InvalidAccessKeyId"),
    ],
    ids=["wrong secret", "unknown key"],
)
async def test_wrong_credentials_are_denied_at_once(
    fetcher: Fetcher, bucket: Bucket, key: str, wrong: dict[str, str], code: str
) -> None:
    async with CuttingProxy.before(bucket.weed.port) as proxy:
        outcome = await fetcher.run(bucket.config(key, endpoint=f"http://127.0.0.1:{proxy.port}"), **wrong)
    outcome.assert_failed(ExitCode.AccessDenied, field=CREDENTIALS, says=code)
    assert len(proxy.requests) == 1
    shown = outcome.stderr + str(outcome.termination)
    assert all(secret not in shown for secret in {**fetcher.env, **wrong}.values())


async def test_credentials_of_another_bucket_are_denied(fetcher: Fetcher, bucket: Bucket) -> None:
    await bucket.put_all({"model.onnx": b"1"})
    reader = {"AWS_ACCESS_KEY_ID": READER_ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": READER_SECRET_KEY}
    outcome = await fetcher.run(bucket.config("model.onnx"), **reader)
    outcome.assert_failed(ExitCode.AccessDenied, field=CREDENTIALS, says="AccessDenied")


async def test_no_credentials_at_all_are_denied_without_asking_the_node(fetcher: Fetcher, bucket: Bucket) -> None:
    fetcher.env.clear()
    outcome = await fetcher.run(bucket.config("model.onnx"))
    outcome.assert_failed(ExitCode.AccessDenied, field=CREDENTIALS, says="AWS_ACCESS_KEY_ID")


async def test_half_of_the_credentials_are_denied(fetcher: Fetcher, bucket: Bucket) -> None:
    del fetcher.env["AWS_SECRET_ACCESS_KEY"]
    outcome = await fetcher.run(bucket.config("model.onnx"))
    outcome.assert_failed(ExitCode.AccessDenied, field=CREDENTIALS, says="AWS_SECRET_ACCESS_KEY")


@pytest.mark.parametrize("accepted", [True, False])
async def test_a_service_accounts_token_is_exchanged_for_credentials(
    fetcher: Fetcher, bucket: Bucket, accepted: bool
) -> None:
    async def token_service(request: web.Request) -> web.Response:
        asked = await request.post()
        assert asked["Action"] == "AssumeRoleWithWebIdentity"
        assert asked["WebIdentityToken"] == "token-of-the-pod"
        if not accepted:
            error = "<ErrorResponse><Error><Code>InvalidIdentityToken</Code></Error></ErrorResponse>"
            return web.Response(status=400, text=error, content_type="text/xml")
        return web.Response(text=_credentials(READER_ACCESS_KEY, READER_SECRET_KEY), content_type="text/xml")

    (fetcher.config / "token").write_text("token-of-the-pod")
    with contextlib.suppress(bucket.client.exceptions.BucketAlreadyOwnedByYou):
        await bucket.client.create_bucket(Bucket="readable")
    await bucket.client.put_object(Bucket="readable", Key="model.onnx", Body=b"content")
    async with http_server(token_service) as address:
        fetcher.env = {
            "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/model-reader",
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(fetcher.config / "token"),
            "AWS_ENDPOINT_URL_STS": address,
        }
        config = bucket.config("model.onnx").model_copy(update={"uri": "s3://readable/model.onnx"})
        outcome = await fetcher.run(config)
    if accepted:
        outcome.assert_ok()
        return
    outcome.assert_failed(ExitCode.AccessDenied, field=CREDENTIALS, says="InvalidIdentityToken")
    assert "token-of-the-pod" not in outcome.stderr


async def test_a_missing_token_is_denied(fetcher: Fetcher, bucket: Bucket) -> None:
    fetcher.env = {"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/x", "AWS_WEB_IDENTITY_TOKEN_FILE": "/none/token"}
    outcome = await fetcher.run(bucket.config("model.onnx"))
    outcome.assert_failed(ExitCode.AccessDenied, field=CREDENTIALS, says="cannot be read")


def _credentials(access_key: str, secret_key: str) -> str:
    expiration = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)).isoformat()
    return (
        "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>"
        f"<AccessKeyId>{access_key}</AccessKeyId><SecretAccessKey>{secret_key}</SecretAccessKey>"
        f"<SessionToken></SessionToken><Expiration>{expiration}</Expiration>"
        "</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
    )


async def test_a_public_bucket_needs_no_credentials(fetcher: Fetcher, weed: Weed, bucket: Bucket) -> None:
    with contextlib.suppress(bucket.client.exceptions.BucketAlreadyOwnedByYou):
        await bucket.client.create_bucket(Bucket="public")
    await bucket.client.put_object(Bucket="public", Key="model.onnx", Body=b"1")
    fetcher.env.clear()
    access = ObjectStoreAccess(endpoint=weed.endpoint, anonymous=True)
    outcome = await fetcher.run({"uri": "s3://public/model.onnx", "objectStore": access.model_dump(by_alias=True)})
    outcome.assert_ok()


@pytest.mark.parametrize("key", ["model.onnx", "m/"])
async def test_too_large_an_artifact_is_refused_before_it_is_brought(
    fetcher: Fetcher, bucket: Bucket, key: str
) -> None:
    await bucket.put_all({"model.onnx": bytes(3_000_000), "m/a": bytes(1_500_000), "m/b": bytes(1_500_000)})
    async with CuttingProxy.before(bucket.weed.port, Fault(stall_after=100_000)) as proxy:
        config = bucket.config(key, endpoint=f"http://127.0.0.1:{proxy.port}", max_bytes=2_999_999)
        outcome = await fetcher.run(config)
    outcome.assert_failed(ExitCode.ArtifactTooLarge, field="spec.model.maxBytes", says="3000000 bytes")
    assert proxy.connections == 1


async def test_exactly_the_allowed_size_is_brought(fetcher: Fetcher, bucket: Bucket) -> None:
    await bucket.put_all({"m/a": bytes(1000), "m/b": bytes(500)})
    (await fetcher.run(bucket.config("m/", max_bytes=1500))).assert_ok()


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("m/../../../etc/cron.d/evil", "would lead out"),
        ("m//etc/passwd", "would lead out"),
        ("m/a/./b", "would lead out"),
        ("m/a\\..\\b", "backslash"),
        ("m/a&#10;b", "control character"),
        ("m/" + "d/" * 70 + "x", "nested deeper"),
    ],
    ids=["parent", "absolute", "dot", "backslash", "newline", "deep"],
)
async def test_a_hostile_listing_cannot_choose_where_files_go(
    fetcher: Fetcher, bucket: Bucket, key: str, says: str
) -> None:
    # SeaweedFS refuses to store such keys, other stores do not.
    listing = (
        '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<IsTruncated>false</IsTruncated><Contents><Key>{key}</Key><Size>1</Size></Contents></ListBucketResult>"
    )
    async with CuttingProxy.before(bucket.weed.port, Fault(answer=http_answer("200 OK", listing.encode()))) as proxy:
        outcome = await fetcher.run(bucket.config("m/", endpoint=f"http://127.0.0.1:{proxy.port}"))
    outcome.assert_failed(ExitCode.InvalidConfig, field=URI, says=says)


async def test_it_runs_without_privileges(fetcher: Fetcher, bucket: Bucket, tmp_path: Path) -> None:
    fetcher.command = (*DROP_PRIVILEGES, *COMMAND)
    await bucket.put_all({"m/a/model.onnx": b"1"})
    config = bucket.config("m/", digest=digest_of(write_files(tmp_path / "expected", {"a/model.onnx": b"1"})))
    config = config.model_copy(update={"cache_dir": str(fetcher.cache)})
    (await fetcher.run(config)).assert_ok()
    (await fetcher.run(config)).assert_ok()
    # Another configuration: the old copy, which is read-only, has to go.
    again = await fetcher.run(config.model_copy(update={"max_bytes": 1000}))
    again.assert_ok()
    assert again.files() == {"a/model.onnx": b"1"}
