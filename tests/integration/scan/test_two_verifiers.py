"""Two verifiers that share no code agree: ours in Python, and @sigstore/verify in JavaScript."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from typer.testing import CliRunner

from demo.sigstorejs import Answer, verified_by_identity, verified_by_key
from sentinel_operator.api.scanning import Signing
from sentinel_operator.api.serving import Identity
from sentinel_workloads.scan.attest.sign import SigningError, signer_of
from sentinel_workloads.scan.cli.__main__ import app
from sentinel_workloads.signature.bundle import RejectedError
from sentinel_workloads.signature.statements import IdentityVerifier, KeyVerifier, StatementVerifier
from tests.support.reports import a_report_of
from tests.support.sigstore_mock import SigstoreMock, running_sigstore

pytestmark = pytest.mark.xdist_group("fetch")
ISSUER = "https://kubernetes.default.svc.cluster.local"
SUBJECT = "https://kubernetes.io/namespaces/ml/serviceaccounts/scan"


@pytest.fixture(scope="module")
def sigstore(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SigstoreMock]:
    with running_sigstore(tmp_path_factory.mktemp("sigstore")) as running:
        yield running


@dataclass(frozen=True, slots=True)
class Signed:
    """A report's bundle, and how both verifiers are told whom to trust."""

    bundle: Path
    ours: StatementVerifier
    theirs: Callable[[Path], Answer]


async def by_key(folder: Path, key: Any) -> Signed:
    (folder / "private.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "public.pem").write_bytes(public)
    signer = signer_of(Signing(type="Key", key_file=str(folder / "private.pem")))
    reported = await a_report_of(folder / "scan", signer)
    return Signed(
        reported.report / "statement.sigstore.json",
        KeyVerifier(public),
        partial(verified_by_key, public_key=folder / "public.pem"),
    )


def token(folder: Path, **claims: Any) -> Path:
    now = int(time.time())
    body = {"aud": "sigstore", "iss": ISSUER, "sub": SUBJECT, "iat": now, "exp": now + 600, **claims}
    path = folder / "token"
    path.write_text(jwt.encode(body, "k" * 32, algorithm="HS256"))
    return path


async def by_identity(folder: Path, sigstore: SigstoreMock) -> Signed:
    signing = Signing(type="Keyless", token_file=str(token(folder)), trust_config_file=str(sigstore.trust_config))
    reported = await a_report_of(folder / "scan", signer_of(signing))
    assert reported.outcome.identity == SUBJECT
    return Signed(
        reported.report / "statement.sigstore.json",
        IdentityVerifier(sigstore.trusted_root, (Identity(issuer=ISSUER, subject=SUBJECT),)),
        trusting(sigstore),
    )


def trusting(sigstore: SigstoreMock, *, subject: str = SUBJECT, issuer: str = ISSUER) -> Callable[[Path], Answer]:
    return partial(verified_by_identity, trusted_root=sigstore.trusted_root, subject=subject, issuer=issuer)


def assert_both_accept(signed: Signed) -> None:
    ours = signed.ours.verify(signed.bundle.read_bytes())
    answer = signed.theirs(signed.bundle)
    assert answer.ok, answer
    assert base64.b64decode(answer.payload) == ours.payload


def assert_both_reject(signed: Signed) -> None:
    with pytest.raises(RejectedError):
        signed.ours.verify(signed.bundle.read_bytes())
    assert not signed.theirs(signed.bundle).ok


@pytest.mark.parametrize(
    "make",
    [lambda: ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate],
    ids=["P-256", "Ed25519"],
)
async def test_both_accept_what_a_key_signed(tmp_path: Path, make: Callable[[], Any]) -> None:
    assert_both_accept(await by_key(tmp_path, make()))


async def test_both_accept_what_an_identity_signed(tmp_path: Path, sigstore: SigstoreMock) -> None:
    signed = await by_identity(tmp_path, sigstore)
    assert_both_accept(signed)
    assert signed.theirs(signed.bundle).identity == SUBJECT


async def test_an_identity_is_verified_when_its_sigstore_is_gone(tmp_path: Path) -> None:
    with running_sigstore(tmp_path / "sigstore") as mock:
        signed = await by_identity(tmp_path, mock)
    assert_both_accept(signed)


def other_payload(bundle: dict[str, Any]) -> None:
    payload = base64.b64decode(bundle["dsseEnvelope"]["payload"]).replace(b'"quarantine":70', b'"quarantine":99')
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()


def other_signature(bundle: dict[str, Any]) -> None:
    signature = bytearray(base64.b64decode(bundle["dsseEnvelope"]["signatures"][0]["sig"]))
    signature[-1] ^= 1
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(signature).decode()


def other_type(bundle: dict[str, Any]) -> None:
    bundle["dsseEnvelope"]["payloadType"] = "text/plain"


def without_proof(bundle: dict[str, Any]) -> None:
    bundle["verificationMaterial"]["tlogEntries"] = []


@pytest.mark.parametrize("change", [other_payload, other_signature, other_type])
async def test_both_reject_what_was_changed_after_a_key_signed(
    tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    signed = await by_key(tmp_path, ec.generate_private_key(ec.SECP256R1()))
    edit(signed.bundle, change)
    assert_both_reject(signed)


@pytest.mark.parametrize("change", [other_payload, other_signature, other_type, without_proof])
async def test_both_reject_what_was_changed_after_an_identity_signed(
    tmp_path: Path, sigstore: SigstoreMock, change: Callable[[dict[str, Any]], None]
) -> None:
    signed = await by_identity(tmp_path, sigstore)
    edit(signed.bundle, change)
    assert_both_reject(signed)


def edit(bundle: Path, change: Callable[[dict[str, Any]], None]) -> None:
    raw = json.loads(bundle.read_bytes())
    before = json.dumps(raw)
    change(raw)
    assert json.dumps(raw) != before
    bundle.write_text(json.dumps(raw))


async def test_both_reject_another_key(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    one = await by_key(tmp_path / "one", ec.generate_private_key(ec.SECP256R1()))
    other = await by_key(tmp_path / "other", ec.generate_private_key(ec.SECP256R1()))
    assert_both_reject(Signed(one.bundle, other.ours, other.theirs))


async def test_both_reject_another_identity(tmp_path: Path, sigstore: SigstoreMock) -> None:
    signed = await by_identity(tmp_path, sigstore)
    other = IdentityVerifier(sigstore.trusted_root, (Identity(issuer=ISSUER, subject="mallory"),))
    assert_both_reject(Signed(signed.bundle, other, trusting(sigstore, subject="mallory")))
    other = IdentityVerifier(sigstore.trusted_root, (Identity(issuer="https://evil", subject=SUBJECT),))
    assert_both_reject(Signed(signed.bundle, other, trusting(sigstore, issuer="https://evil")))


async def test_both_reject_an_identity_of_another_sigstore(tmp_path: Path, sigstore: SigstoreMock) -> None:
    with running_sigstore(tmp_path / "sigstore") as mock:
        signed = await by_identity(tmp_path, mock)
    ours = IdentityVerifier(sigstore.trusted_root, (Identity(issuer=ISSUER, subject=SUBJECT),))
    assert_both_reject(Signed(signed.bundle, ours, trusting(sigstore)))


async def test_keys_and_identities_are_not_mixed_up(tmp_path: Path, sigstore: SigstoreMock) -> None:
    for name in ("key", "identity"):
        (tmp_path / name).mkdir()
    key = await by_key(tmp_path / "key", ec.generate_private_key(ec.SECP256R1()))
    identity = await by_identity(tmp_path / "identity", sigstore)
    assert_both_reject(Signed(key.bundle, identity.ours, identity.theirs))
    assert_both_reject(Signed(identity.bundle, key.ours, key.theirs))


@pytest.mark.parametrize("what", ["expired", "no token", "services gone"])
async def test_a_signature_that_cannot_be_had_is_explained(tmp_path: Path, what: str) -> None:
    with running_sigstore(tmp_path / "sigstore") as mock:
        file = token(tmp_path, **({"exp": 1, "iat": 0} if what == "expired" else {}))
        if what == "no token":
            file.write_text("nonsense")
        signing = Signing(type="Keyless", token_file=str(file), trust_config_file=str(mock.trust_config))
        if what != "services gone":
            with pytest.raises(SigningError, match="identity token"):
                signer_of(signing)
            return
        signer = signer_of(signing)
    assert signer
    with pytest.raises(SigningError, match="did not do its part"):
        signer.sign(b'{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"x","digest":{"sha256":"00"}}]}')


def test_people_sign_and_verify_keyless(tmp_path: Path, sigstore: SigstoreMock) -> None:
    (tmp_path / "bread.txt").write_text("Bread is made of flour.")
    arguments = ["run", str(tmp_path / "bread.txt"), "--output", str(tmp_path / "out"), "--quiet"]
    arguments += ["--token", str(token(tmp_path)), "--trust-config", str(sigstore.trust_config)]
    signed = CliRunner().invoke(app, arguments)
    assert signed.exit_code == 0, signed.output
    assert f"signed by {SUBJECT}" in signed.output
    trust = ["--issuer", ISSUER, "--trust-root", str(sigstore.trusted_root)]
    for identity, code in ((SUBJECT, 0), ("https://mallory", 1)):
        proven = CliRunner().invoke(app, ["verify", str(tmp_path / "out"), "--identity", identity, *trust])
        assert proven.exit_code == code, proven.output
