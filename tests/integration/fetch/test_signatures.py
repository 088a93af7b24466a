"""Signatures of a key, a CA and an identity, and everything that must not pass for one."""

from __future__ import annotations

import base64
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import model_signing
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sentinel_operator.api.serving import ExitCode, FetchConfig, Identity, KeyAuthority
from sentinel_workloads.fetch.artifact import digest_of
from tests.integration.fetch.conftest import Bucket
from tests.integration.fetch.harness import HASTY, Fetcher, Outcome
from tests.integration.fetch.https_server import certificate, https_server
from tests.integration.fetch.signing import (
    FILES,
    ISSUER,
    SUBJECT,
    CertificateSigner,
    KeylessSigner,
    KeySigner,
    a_signed_file,
    a_signed_model,
)
from tests.support.sigstore_mock import SigstoreMock, running_sigstore

pytestmark = pytest.mark.xdist_group("fetch")
VERIFY = "spec.model.verify"


@pytest.fixture
def key(tmp_path: Path) -> KeySigner:
    return KeySigner.new(tmp_path / "key")


@pytest.fixture
def ca(tmp_path: Path) -> CertificateSigner:
    return CertificateSigner.new(tmp_path / "ca")


def enforced(root: Path, *authorities: Any, **fields: Any) -> FetchConfig:
    return FetchConfig(**{"uri": root.as_uri(), "verify": "Enforce", "authorities": authorities, **fields})


def assert_refused(outcome: Outcome, *says: str) -> None:
    outcome.assert_failed(ExitCode.SignatureInvalid, field=VERIFY)
    assert all(part in outcome.message for part in says), outcome.message


# ---------------------------------------------------------------------------------------------- what is accepted


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
async def test_a_keys_signature_is_accepted_and_the_key_is_named(
    fetcher: Fetcher, tmp_path: Path, curve: ec.EllipticCurve
) -> None:
    key = KeySigner.new(tmp_path / "key", curve=curve)
    root = a_signed_model(tmp_path / "model", key)
    outcome = await fetcher.run(enforced(root, key.authority, digest=digest_of(root)))
    outcome.assert_ok()
    assert outcome.verification["authority"] == "release"
    assert outcome.verification["identity"].startswith("sha256:")
    assert set(outcome.files()) == {*FILES, "model.sig"}


async def test_a_certificates_signature_is_accepted_and_its_subject_is_named(
    fetcher: Fetcher, tmp_path: Path, ca: CertificateSigner
) -> None:
    outcome = await fetcher.run(enforced(a_signed_model(tmp_path / "model", ca), ca.authority))
    outcome.assert_ok()
    assert (outcome.verification["authority"], outcome.verification["identity"]) == ("company", "CN=company signer")


@pytest.mark.parametrize(
    "identity",
    [
        Identity(issuer=ISSUER, subject=SUBJECT),
        Identity(issuer=ISSUER, subject_reg_exp=r"https://kubernetes\.io/namespaces/ml/.*"),
        Identity(issuer_reg_exp=r"https://kubernetes\.default\..+", subject=SUBJECT),
    ],
    ids=["exact", "subject pattern", "issuer pattern"],
)
async def test_an_identitys_signature_is_accepted(
    fetcher: Fetcher, tmp_path: Path, sigstore: SigstoreMock, identity: Identity
) -> None:
    signer = KeylessSigner(sigstore)
    other = Identity(issuer="https://other", subject="other")
    outcome = await fetcher.run(enforced(a_signed_model(tmp_path / "model", signer), signer.authority(other, identity)))
    outcome.assert_ok()
    assert (outcome.verification["authority"], outcome.verification["identity"]) == ("pipeline", SUBJECT)


async def test_identities_are_verified_without_any_network(fetcher: Fetcher, tmp_path: Path) -> None:
    with running_sigstore(tmp_path / "sigstore") as sigstore:
        signer = KeylessSigner(sigstore)
        root = a_signed_model(tmp_path / "model", signer)
    # The services are gone now, and name resolution has nowhere to go.
    audit = "import sys, runpy; sys.addaudithook(lambda e, a: e.startswith('socket.connect') and sys.exit(99));"
    fetcher.command = (
        sys.executable,
        "-c",
        audit + "runpy.run_module('sentinel_workloads.fetch', run_name='__main__')",
    )
    (await fetcher.run(enforced(root, signer.authority()))).assert_ok()


async def test_a_signature_beside_a_single_file_is_accepted(fetcher: Fetcher, tmp_path: Path, key: KeySigner) -> None:
    file = a_signed_file(tmp_path / "model.onnx", key)
    outcome = await fetcher.run(enforced(file, key.authority, digest=digest_of(file)))
    outcome.assert_ok()
    assert outcome.files() == {"model.onnx": b"weights"}


async def test_a_single_file_may_be_signed_as_such(fetcher: Fetcher, tmp_path: Path, key: KeySigner) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"weights")
    key.config().sign(file, tmp_path / "model.onnx.sig")
    (await fetcher.run(enforced(file, key.authority))).assert_ok()


async def test_a_signed_file_is_accepted_from_a_bucket(
    fetcher: Fetcher, bucket: Bucket, tmp_path: Path, key: KeySigner
) -> None:
    file = a_signed_file(tmp_path / "model.onnx", key)
    signature = (tmp_path / "model.onnx.sig").read_bytes()
    await bucket.put_all({"v1/model.onnx": file.read_bytes(), "v1/model.onnx.sig": signature})
    config = bucket.config("v1/model.onnx", verify="Enforce", authorities=(key.authority,))
    outcome = await fetcher.run(config)
    outcome.assert_ok()
    assert outcome.files() == {"model.onnx": b"weights"}
    await bucket.client.delete_object(Bucket=bucket.name, Key="v1/model.onnx.sig")
    assert_refused(await fetcher.run(config.model_copy(update={"max_bytes": 10})), "unsigned")


async def test_a_signed_directory_is_accepted_from_a_bucket(
    fetcher: Fetcher, bucket: Bucket, tmp_path: Path, key: KeySigner
) -> None:
    root = a_signed_model(tmp_path / "model", key)
    names = [*FILES, "model.sig"]
    await bucket.put_all({f"v1/{name}": (root / name).read_bytes() for name in names})
    config = bucket.config("v1/", verify="Enforce", authorities=(key.authority,), digest=digest_of(root))
    (await fetcher.run(config)).assert_ok()


async def test_a_signed_file_is_accepted_from_https(fetcher: Fetcher, tmp_path: Path, key: KeySigner) -> None:
    file = a_signed_file(tmp_path / "model.onnx", key)
    signature = (tmp_path / "model.onnx.sig").read_bytes()
    async with https_server({"/a/model.onnx": file.read_bytes(), "/a/model.onnx.sig": signature}) as server:
        config = enforced(file, key.authority, uri=f"{server.address}/a/model.onnx?x=1", retry=HASTY)
        config = config.model_copy(
            update={"object_store": config.object_store.model_copy(update={"ca_file": str(server.ca_file)})}
        )
        (await fetcher.run(config)).assert_ok()


async def test_any_one_authority_suffices(
    fetcher: Fetcher, tmp_path: Path, key: KeySigner, ca: CertificateSigner
) -> None:
    root = a_signed_model(tmp_path / "model", ca)
    outcome = await fetcher.run(enforced(root, key.authority, ca.authority))
    outcome.assert_ok()
    assert outcome.verification["authority"] == "company"


async def test_git_files_at_the_root_are_not_part_of_a_signature(
    fetcher: Fetcher, tmp_path: Path, key: KeySigner
) -> None:
    root = a_signed_model(tmp_path / "model", key, {**FILES, ".gitattributes": b"*.onnx lfs"})
    (await fetcher.run(enforced(root, key.authority))).assert_ok()


# ---------------------------------------------------------------------------------------------- what is refused


def tampered(root: Path) -> None:
    (root / "model.onnx").write_bytes(b"evil")


def extended(root: Path) -> None:
    (root / "extra.bin").write_bytes(b"evil")


def renamed(root: Path) -> None:
    (root / "config.json").rename(root / "other.json")


def shortened(root: Path) -> None:
    (root / "config.json").unlink()


def swapped(root: Path) -> None:
    one, other = (root / "model.onnx").read_bytes(), (root / "config.json").read_bytes()
    (root / "model.onnx").write_bytes(other)
    (root / "config.json").write_bytes(one)


CHANGES: list[tuple[Callable[[Path], None], str]] = [
    (tampered, "changed since signed: model.onnx"),
    (extended, "not signed: extra.bin"),
    (renamed, "missing: config.json"),
    (renamed, "not signed: other.json"),
    (shortened, "missing: config.json"),
    (swapped, "changed since signed: config.json, model.onnx"),
]


@pytest.mark.parametrize(("change", "says"), CHANGES, ids=lambda value: getattr(value, "__name__", value))
@pytest.mark.parametrize("kind", ["key", "ca", "keyless"])
async def test_another_set_of_files_than_was_signed_is_refused(
    fetcher: Fetcher, tmp_path: Path, sigstore: SigstoreMock, kind: str, change: Callable[[Path], None], says: str
) -> None:
    root, authority = signed_by(kind, tmp_path, sigstore)
    change(root)
    assert_refused(await fetcher.run(enforced(root, authority)), says)


@pytest.mark.parametrize("kind", ["key", "ca", "keyless"])
async def test_a_changed_statement_is_refused(
    fetcher: Fetcher, tmp_path: Path, sigstore: SigstoreMock, kind: str
) -> None:
    root, authority = signed_by(kind, tmp_path, sigstore)
    (root / "model.onnx").write_bytes(b"evil")
    bundle = json.loads((root / "model.sig").read_bytes())
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    for resource in statement["predicate"]["resources"]:
        if resource["name"] == "model.onnx":
            resource["digest"] = digest_of(root / "model.onnx").removeprefix("sha256:")
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
    (root / "model.sig").write_text(json.dumps(bundle))
    assert_refused(await fetcher.run(enforced(root, authority)), authority.name)


def signed_by(kind: str, tmp_path: Path, sigstore: SigstoreMock) -> tuple[Path, Any]:
    if kind == "key":
        key = KeySigner.new(tmp_path / "key")
        return a_signed_model(tmp_path / "model", key), key.authority
    if kind == "ca":
        ca = CertificateSigner.new(tmp_path / "ca")
        return a_signed_model(tmp_path / "model", ca), ca.authority
    keyless = KeylessSigner(sigstore)
    return a_signed_model(tmp_path / "model", keyless), keyless.authority()


async def test_an_unsigned_directory_is_refused(fetcher: Fetcher, tmp_path: Path, key: KeySigner) -> None:
    root = a_signed_model(tmp_path / "model", key)
    (root / "model.sig").unlink()
    assert_refused(await fetcher.run(enforced(root, key.authority)), "unsigned", "model.sig")


@pytest.mark.parametrize("with_hint", [True, False])
async def test_the_wrong_key_is_refused(fetcher: Fetcher, tmp_path: Path, key: KeySigner, with_hint: bool) -> None:
    root = a_signed_model(tmp_path / "model", key)
    if not with_hint:
        bundle = json.loads((root / "model.sig").read_bytes())
        bundle["verificationMaterial"]["publicKey"] = {}
        (root / "model.sig").write_text(json.dumps(bundle))
    other = KeySigner.new(tmp_path / "other", name="other")
    assert_refused(await fetcher.run(enforced(root, other.authority)), "other: ")


async def test_the_wrong_ca_is_refused_even_when_it_bears_the_same_name(
    fetcher: Fetcher, tmp_path: Path, ca: CertificateSigner
) -> None:
    root = a_signed_model(tmp_path / "model", ca)
    other = CertificateSigner.new(tmp_path / "other", name="company")
    assert_refused(await fetcher.run(enforced(root, other.authority)), "company: ", "does not lead to this CA")


async def test_a_certificate_of_the_ca_that_may_not_sign_is_refused(
    fetcher: Fetcher, tmp_path: Path, ca: CertificateSigner
) -> None:
    ca_key = ec.generate_private_key(ec.SECP256R1())
    root_ca = certificate("other CA", key=ca_key, issuer="other CA", issuer_key=ca_key, ca=True)
    (ca.folder / "key.pem").write_bytes(_pem(ca_key))
    for name in ("ca.pem", "leaf.pem"):
        (ca.folder / name).write_bytes(root_ca.public_bytes(Encoding.PEM))
    # The CA's own certificate is trusted, but not for signatures.
    root = a_signed_model(tmp_path / "model", ca)
    assert_refused(await fetcher.run(enforced(root, ca.authority)), "cannot be used for signing")


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    from tests.integration.fetch.https_server import pem

    return pem(key)


@pytest.mark.parametrize(
    ("identity", "says"),
    [
        (Identity(issuer=ISSUER, subject="https://kubernetes.io/namespaces/ml/serviceaccounts/other"), SUBJECT),
        (Identity(issuer="https://accounts.example.com", subject=SUBJECT), ISSUER),
        (Identity(issuer=ISSUER, subject_reg_exp=r"https://kubernetes\.io/namespaces/other/.*"), SUBJECT),
        (Identity(issuer=ISSUER, subject_reg_exp=r"https://kubernetes\.io/namespaces/ml"), SUBJECT),
        (Identity(issuer=ISSUER, subject_reg_exp=r"serviceaccounts/signer"), SUBJECT),
        (Identity(issuer_reg_exp=r"https://kubernetes", subject=SUBJECT), ISSUER),
        (Identity(issuer=ISSUER, subject=SUBJECT.replace("kubernetes.io", "kubernetes.i.")), SUBJECT),
    ],
    ids=["subject", "issuer", "pattern", "only a prefix", "only a suffix", "issuer prefix", "a value is no pattern"],
)
async def test_another_identity_is_refused(
    fetcher: Fetcher, tmp_path: Path, sigstore: SigstoreMock, identity: Identity, says: str
) -> None:
    signer = KeylessSigner(sigstore)
    root = a_signed_model(tmp_path / "model", signer)
    assert_refused(await fetcher.run(enforced(root, signer.authority(identity))), "pipeline: ", says)


async def test_another_trust_root_is_refused(fetcher: Fetcher, tmp_path: Path, sigstore: SigstoreMock) -> None:
    signer = KeylessSigner(sigstore)
    root = a_signed_model(tmp_path / "model", signer)
    with running_sigstore(tmp_path / "other") as other:
        authority = signer.authority(trust_root=other.trusted_root)
    assert_refused(await fetcher.run(enforced(root, authority)), "pipeline: ")


async def test_a_signature_whose_log_entry_is_missing_is_refused(
    fetcher: Fetcher, tmp_path: Path, sigstore: SigstoreMock
) -> None:
    signer = KeylessSigner(sigstore)
    root = a_signed_model(tmp_path / "model", signer)
    bundle = json.loads((root / "model.sig").read_bytes())
    bundle["verificationMaterial"]["tlogEntries"] = []
    (root / "model.sig").write_text(json.dumps(bundle))
    assert_refused(await fetcher.run(enforced(root, signer.authority())), "pipeline: ")


async def test_every_authority_says_why_not(
    fetcher: Fetcher, tmp_path: Path, key: KeySigner, ca: CertificateSigner, sigstore: SigstoreMock
) -> None:
    signer = KeySigner.new(tmp_path / "signer")
    root = a_signed_model(tmp_path / "model", signer)
    keyless = KeylessSigner(sigstore).authority()
    outcome = await fetcher.run(enforced(root, key.authority, ca.authority, keyless))
    assert_refused(outcome, "release: ", "company: not signed with a certificate", "pipeline: signed with a key")


async def test_a_signature_of_other_content_is_refused(fetcher: Fetcher, tmp_path: Path, key: KeySigner) -> None:
    other = a_signed_model(tmp_path / "other", key, {"model.onnx": b"other"})
    root = a_signed_model(tmp_path / "model", key)
    shutil.copy(other / "model.sig", root / "model.sig")
    outcome = await fetcher.run(enforced(root, key.authority))
    assert_refused(outcome, "but not this content")


async def test_what_the_signer_left_out_is_not_signed(fetcher: Fetcher, tmp_path: Path, key: KeySigner) -> None:
    root = tmp_path / "model"
    (root).mkdir()
    for name in ("model.onnx", "notes.txt"):
        (root / name).write_bytes(b"1")
    hashing = model_signing.hashing.Config().set_ignored_paths(paths=[root / "model.sig", root / "notes.txt"])
    key.config().set_hashing_config(hashing).sign(root, root / "model.sig")
    assert_refused(await fetcher.run(enforced(root, key.authority)), "not signed: notes.txt")


async def test_a_signature_in_shards_is_refused_by_name(fetcher: Fetcher, tmp_path: Path, key: KeySigner) -> None:
    root = tmp_path / "model"
    root.mkdir()
    (root / "model.onnx").write_bytes(b"1")
    hashing = model_signing.hashing.Config().use_shard_serialization()
    key.config().set_hashing_config(hashing).sign(root, tmp_path / "model.sig")
    shutil.move(tmp_path / "model.sig", root / "model.sig")
    assert_refused(await fetcher.run(enforced(root, key.authority)), "signed as shards")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"verificationMaterial": 1}',
        b'{"verificationMaterial": {"publicKey": 1}}',
        b"[" * 100_000,
    ],
    ids=["empty", "binary", "list", "object", "number", "half", "deep"],
)
async def test_what_is_no_signature_is_refused(
    fetcher: Fetcher, tmp_path: Path, key: KeySigner, content: bytes
) -> None:
    root = a_signed_model(tmp_path / "model", key)
    (root / "model.sig").write_bytes(content)
    assert_refused(await fetcher.run(enforced(root, key.authority)), "release: ")


async def test_the_digest_is_checked_even_when_the_signature_is_good(
    fetcher: Fetcher, tmp_path: Path, key: KeySigner
) -> None:
    root = a_signed_model(tmp_path / "model", key)
    outcome = await fetcher.run(enforced(root, key.authority, digest=f"sha256:{'0' * 64}"))
    outcome.assert_failed(ExitCode.DigestMismatch, field="spec.model.digest")


# ---------------------------------------------------------------------------------------------- modes, trust material


@pytest.mark.parametrize("unsigned", [True, False])
async def test_in_mode_warn_the_model_is_served_and_the_reason_told(
    fetcher: Fetcher, tmp_path: Path, key: KeySigner, unsigned: bool
) -> None:
    root = a_signed_model(tmp_path / "model", key)
    (root / "model.sig").unlink() if unsigned else tampered(root)
    outcome = await fetcher.run(enforced(root, key.authority, verify="Warn"))
    outcome.assert_ok()
    assert outcome.verification["authority"] == ""
    assert ("unsigned" if unsigned else "changed since signed") in outcome.verification["warning"]


async def test_in_mode_warn_a_good_signature_gives_no_warning(fetcher: Fetcher, tmp_path: Path, key: KeySigner) -> None:
    outcome = await fetcher.run(enforced(a_signed_model(tmp_path / "model", key), key.authority, verify="Warn"))
    outcome.assert_ok()
    assert (outcome.verification["authority"], outcome.verification["warning"]) == ("release", "")


async def test_in_mode_warn_a_file_without_signature_in_a_bucket_is_served(
    fetcher: Fetcher, bucket: Bucket, key: KeySigner
) -> None:
    await bucket.put_all({"model.onnx": b"weights"})
    outcome = await fetcher.run(bucket.config("model.onnx", verify="Warn", authorities=(key.authority,)))
    outcome.assert_ok()
    assert "unsigned" in outcome.verification["warning"]


@pytest.mark.parametrize("kind", ["missing", "garbage", "rsa", "no identity", "empty identity", "pattern", "root"])
async def test_an_authority_that_cannot_be_used_is_named_before_anything_is_brought(
    fetcher: Fetcher, tmp_path: Path, key: KeySigner, sigstore: SigstoreMock, kind: str
) -> None:
    keyless = KeylessSigner(sigstore)
    authority: Any = KeyAuthority(name="release", public_key_file=str(tmp_path / "release.pem"))
    match kind:
        case "missing":
            pass
        case "garbage":
            (tmp_path / "release.pem").write_text("no key")
        case "rsa":
            from cryptography.hazmat.primitives.asymmetric import rsa

            public = rsa.generate_private_key(65537, 2048).public_key()
            pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            (tmp_path / "release.pem").write_bytes(pem)
        case "no identity":
            authority = keyless.authority().model_copy(update={"identities": ()})
        case "empty identity":
            authority = keyless.authority(Identity(subject=SUBJECT))
        case "pattern":
            authority = keyless.authority(Identity(issuer=ISSUER, subject_reg_exp="("))
        case _:
            (tmp_path / "release.pem").write_text("{}")
            authority = keyless.authority(trust_root=tmp_path / "release.pem")
    outcome = await fetcher.run(enforced(tmp_path / "none", key.authority, authority))
    outcome.assert_failed(ExitCode.InvalidConfig, field="spec.model.verify.authorities[1]", says=authority.name)
