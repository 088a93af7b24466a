"""A model is handed over only with a signed report of a scan over what it was trained on."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest

from sentinel_operator.api.scanning import Signing
from sentinel_operator.api.serving import (
    ExitCode,
    FetchConfig,
    Identity,
    KeyAuthority,
    KeylessAuthority,
    ObjectStoreAccess,
    ScanRequirement,
)
from sentinel_workloads.scan.attest.sign import signer_of
from tests.integration.fetch.conftest import Bucket
from tests.integration.fetch.harness import HASTY, Fetcher, Outcome
from tests.support.reports import Keys, Reported, a_report_of
from tests.support.sigstore_mock import SigstoreMock
from tests.support.weed import ACCESS_KEY, READER_ACCESS_KEY, READER_SECRET_KEY, SECRET_KEY

pytestmark = pytest.mark.xdist_group("fetch")
FIELD = "spec.model.requireScan"
CLEAN = {"a.txt": b"A recipe for bread.", "c/d.txt": b"The weather was fine."}
ISSUER, SUBJECT = "https://kubernetes.default.svc", "https://kubernetes.io/namespaces/ml/serviceaccounts/scan"


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    keys = Keys.new()
    (tmp_path / "scan.pub").write_bytes(keys.public)
    return keys


class Scene:
    """A model in a bucket, the report of a scan beside it, and a configuration that demands it."""

    def __init__(self, fetcher: Fetcher, bucket: Bucket, folder: Path) -> None:
        self.fetcher, self.bucket, self.folder = fetcher, bucket, folder
        self.authorities: tuple[Any, ...] = (KeyAuthority(name="data-team", public_key_file=str(folder / "scan.pub")),)

    async def put(self, reported: Reported) -> None:
        bundle = (reported.report / "statement.sigstore.json").read_bytes()
        await self.bucket.put_all({"scans/x/report/statement.sigstore.json": bundle})

    def requirement(self, **fields: Any) -> ScanRequirement:
        access = ObjectStoreAccess(endpoint=self.bucket.weed.endpoint)
        uri = f"s3://{self.bucket.name}/scans/x/report/"
        return ScanRequirement(**{"uri": uri, "object_store": access, "authorities": self.authorities, **fields})

    async def fetched(self, *, config: dict[str, Any] | None = None, **fields: Any) -> Outcome:
        await self.bucket.put_all({"v1/model.onnx": b"weights"})
        wanted = self.bucket.config("v1/model.onnx", require_scan=self.requirement(**fields), **(config or {}))
        return await self.fetcher.run(wanted)


@pytest.fixture
def scene(fetcher: Fetcher, bucket: Bucket, tmp_path: Path, keys: Keys) -> Scene:
    return Scene(fetcher, bucket, tmp_path)


async def test_with_a_clean_report_the_model_is_handed_over(scene: Scene, keys: Keys) -> None:
    reported = await a_report_of(scene.folder / "scan", keys.signer, CLEAN)
    await scene.put(reported)
    outcome = await scene.fetched(dataset_digest=reported.outcome.dataset_digest)
    outcome.assert_ok()
    assert outcome.files() == {"model.onnx": b"weights"}
    assert any("was scanned" in line["message"] for line in outcome.logs)


async def test_the_bundle_itself_may_be_named(scene: Scene, keys: Keys) -> None:
    await scene.put(await a_report_of(scene.folder / "scan", keys.signer, CLEAN))
    uri = f"s3://{scene.bucket.name}/scans/x/report/statement.sigstore.json"
    (await scene.fetched(uri=uri)).assert_ok()


async def test_an_identity_may_have_signed(scene: Scene, sigstore: SigstoreMock) -> None:
    now = int(time.time())
    claims = {"aud": "sigstore", "iss": ISSUER, "sub": SUBJECT, "iat": now, "exp": now + 600}
    (scene.folder / "token").write_text(jwt.encode(claims, "k" * 32, algorithm="HS256"))
    signing = Signing(
        type="Keyless", token_file=str(scene.folder / "token"), trust_config_file=str(sigstore.trust_config)
    )
    await scene.put(await a_report_of(scene.folder / "scan", signer_of(signing), CLEAN))
    for subject, accepted in ((SUBJECT, True), ("https://mallory", False)):
        identities = (Identity(issuer=ISSUER, subject=subject),)
        trusted = KeylessAuthority(name="scan", trust_root_file=str(sigstore.trusted_root), identities=identities)
        outcome = await scene.fetched(authorities=(trusted,))
        assert outcome.code == (ExitCode.Ok if accepted else ExitCode.ScanInvalid), outcome.stderr


async def test_without_a_report_it_is_missing(scene: Scene) -> None:
    outcome = await scene.fetched()
    outcome.assert_failed(ExitCode.ScanMissing, field=f"{FIELD}.report.uri", says="no signed report of a scan")


async def test_a_quarantined_dataset_needs_a_word_of_the_user(scene: Scene, keys: Keys) -> None:
    await scene.put(await a_report_of(scene.folder / "scan", keys.signer))
    outcome = await scene.fetched()
    outcome.assert_failed(ExitCode.ScanInvalid, field=f"{FIELD}.verdict", says="Quarantined: 2 of its documents")
    (await scene.fetched(verdict="Quarantined")).assert_ok()


async def test_a_scan_that_is_not_complete_never_does(scene: Scene, keys: Keys) -> None:
    await scene.put(await a_report_of(scene.folder / "scan", keys.signer, CLEAN, unread=1))
    outcome = await scene.fetched(verdict="Quarantined")
    outcome.assert_failed(ExitCode.ScanInvalid, field=f"{FIELD}.report", says="not complete")


async def test_a_report_over_another_dataset_does_not_do(scene: Scene, keys: Keys) -> None:
    await scene.put(await a_report_of(scene.folder / "scan", keys.signer, CLEAN))
    outcome = await scene.fetched(dataset_digest=f"sha256:{'0' * 64}")
    outcome.assert_failed(ExitCode.ScanInvalid, field=f"{FIELD}.datasetDigest", says="is over the dataset sha256:")


async def test_a_report_by_somebody_else_does_not_do(scene: Scene) -> None:
    await scene.put(await a_report_of(scene.folder / "scan", Keys.new().signer, CLEAN))
    outcome = await scene.fetched()
    outcome.assert_failed(ExitCode.ScanInvalid, field=f"{FIELD}.authorities", says="data-team: signed with another key")


async def test_a_changed_statement_does_not_do(scene: Scene, keys: Keys) -> None:
    reported = await a_report_of(scene.folder / "scan", keys.signer)
    clean = await a_report_of(scene.folder / "clean", keys.signer, CLEAN)
    payload = json.loads((clean.report / "statement.sigstore.json").read_bytes())["dsseEnvelope"]["payload"]
    reported.edit_bundle(lambda bundle: bundle["dsseEnvelope"].update(payload=payload))
    await scene.put(reported)
    outcome = await scene.fetched()
    outcome.assert_failed(ExitCode.ScanInvalid, field=f"{FIELD}.authorities", says="its content was changed")


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000])
async def test_what_is_no_report_does_not_do(scene: Scene, content: bytes) -> None:
    await scene.bucket.put_all({"scans/x/report/statement.sigstore.json": content})
    (await scene.fetched()).assert_failed(ExitCode.ScanInvalid, field=f"{FIELD}.authorities", says="data-team: ")


async def test_another_signed_statement_is_no_report(scene: Scene, keys: Keys) -> None:
    statement = {"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://slsa.dev/provenance/v1"}
    bundle = keys.signer.sign(json.dumps(statement).encode()).bundle
    await scene.bucket.put_all({"scans/x/report/statement.sigstore.json": bundle})
    outcome = await scene.fetched()
    outcome.assert_failed(ExitCode.ScanInvalid, field=f"{FIELD}.report", says="not a statement over a scan")


async def test_the_report_has_credentials_of_its_own(scene: Scene, keys: Keys) -> None:
    await scene.put(await a_report_of(scene.folder / "scan", keys.signer, CLEAN))
    secret = scene.folder / "secret"
    secret.mkdir()
    (secret / "AWS_SECRET_ACCESS_KEY").write_text(READER_SECRET_KEY)
    outcome = await scene.fetched(credentials_dir=str(secret))
    outcome.assert_failed(ExitCode.AccessDenied, field=f"{FIELD}.report.credentialsSecretRef")
    (secret / "AWS_ACCESS_KEY_ID").write_text(READER_ACCESS_KEY)
    outcome = await scene.fetched(credentials_dir=str(secret))
    assert (outcome.code, outcome.field.startswith(f"{FIELD}.report")) == (ExitCode.AccessDenied, True)
    (secret / "AWS_ACCESS_KEY_ID").write_text(ACCESS_KEY)
    (secret / "AWS_SECRET_ACCESS_KEY").write_text(SECRET_KEY)
    (await scene.fetched(credentials_dir=str(secret))).assert_ok()


async def test_where_the_reports_store_is_away_nothing_is_handed_over(scene: Scene) -> None:
    outcome = await scene.fetched(object_store=ObjectStoreAccess(endpoint="http://127.0.0.1:9"))
    assert outcome.code == ExitCode.StorageUnreachable
    assert outcome.field.startswith(f"{FIELD}.report")
    assert outcome.left() == []


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"authorities": ()}, "authorities"),
        ({"uri": "https://x/report/"}, "report.uri"),
        ({"dataset_digest": "sha256:abc"}, "datasetDigest"),
        ({"authorities": (KeyAuthority(name="x", public_key_file="/nonexistent"),)}, "authorities[0]"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
async def test_a_demand_that_cannot_be_met_names_its_field(
    fetcher: Fetcher, keys: Keys, tmp_path: Path, fields: dict[str, Any], field: str
) -> None:
    good = KeyAuthority(name="data-team", public_key_file=str(tmp_path / "scan.pub"))
    required = ScanRequirement(**{"uri": "s3://datasets/x/", "authorities": (good,), **fields})
    config = FetchConfig(uri=(tmp_path / "none").as_uri(), require_scan=required, retry=HASTY)
    (await fetcher.run(config)).assert_failed(ExitCode.InvalidConfig, field=f"{FIELD}.{field}")
