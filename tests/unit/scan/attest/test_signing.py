"""A key signs statements, its public half verifies them, and nobody else can make one that passes."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from sentinel_operator.api.scanning import Signing
from sentinel_workloads.scan.attest.sign import KeySigner, SigningError, signer_of
from sentinel_workloads.signature.bundle import RejectedError
from sentinel_workloads.signature.keys import UnfitKeyError
from sentinel_workloads.signature.statements import KeyVerifier

KEYS: list[Callable[[], Any]] = [
    lambda: ec.generate_private_key(ec.SECP256R1()),
    lambda: ec.generate_private_key(ec.SECP384R1()),
    lambda: ec.generate_private_key(ec.SECP521R1()),
    ed25519.Ed25519PrivateKey.generate,
]
NAMES = ["P-256", "P-384", "P-521", "Ed25519"]
STATEMENT = b'{"_type":"https://in-toto.io/Statement/v1"}'


def private(key: Any, encryption: Any = None) -> bytes:
    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()))


def public(key: Any) -> bytes:
    return bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


@pytest.mark.parametrize("make", KEYS, ids=NAMES)
def test_the_public_half_verifies(make: Callable[[], Any]) -> None:
    key = make()
    signature = KeySigner(private(key)).sign(STATEMENT)
    verified = KeyVerifier(public(key)).verify(signature.bundle)
    assert verified.payload == STATEMENT
    assert verified.identity == signature.identity


@pytest.mark.parametrize("make", KEYS, ids=NAMES)
def test_another_key_does_not(make: Callable[[], Any]) -> None:
    bundle = KeySigner(private(make())).sign(STATEMENT).bundle
    other = public(make())
    with pytest.raises(RejectedError, match="another key"):
        KeyVerifier(other).verify(bundle)
    raw = json.loads(bundle)
    raw["verificationMaterial"]["publicKey"]["hint"] = ""
    with pytest.raises(RejectedError, match="not made with this key"):
        KeyVerifier(other).verify(json.dumps(raw).encode())


def other_payload(raw: dict[str, Any]) -> None:
    raw["dsseEnvelope"]["payload"] = base64.b64encode(STATEMENT + b" ").decode()


def other_type(raw: dict[str, Any]) -> None:
    raw["dsseEnvelope"]["payloadType"] = "text/plain"


def no_signature(raw: dict[str, Any]) -> None:
    raw["dsseEnvelope"]["signatures"] = []


def two_signatures(raw: dict[str, Any]) -> None:
    raw["dsseEnvelope"]["signatures"] *= 2


def empty_signature(raw: dict[str, Any]) -> None:
    raw["dsseEnvelope"]["signatures"][0]["sig"] = ""


def not_base64(raw: dict[str, Any]) -> None:
    raw["dsseEnvelope"]["payload"] = "*" + raw["dsseEnvelope"]["payload"]


def other_media_type(raw: dict[str, Any]) -> None:
    raw["mediaType"] = "application/json"


def a_certificate(raw: dict[str, Any]) -> None:
    raw["verificationMaterial"] = {"certificate": {"rawBytes": ""}}


def no_material(raw: dict[str, Any]) -> None:
    raw["verificationMaterial"] = {}


def a_message(raw: dict[str, Any]) -> None:
    raw["messageSignature"] = raw.pop("dsseEnvelope")


FORGERIES = [
    other_payload,
    other_type,
    no_signature,
    two_signatures,
    empty_signature,
    not_base64,
    other_media_type,
    a_certificate,
    no_material,
    a_message,
]


@pytest.mark.parametrize("forge", FORGERIES)
def test_a_changed_bundle_is_refused(forge: Callable[[dict[str, Any]], None]) -> None:
    key = KEYS[0]()
    raw = json.loads(KeySigner(private(key)).sign(STATEMENT).bundle)
    forge(raw)
    with pytest.raises(RejectedError):
        KeyVerifier(public(key)).verify(json.dumps(raw).encode())


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"[]", b"1", b"[" * 100_000, b'{"verificationMaterial": {"publicKey": 1}}']
)
def test_what_is_no_bundle_is_refused(content: bytes) -> None:
    with pytest.raises(RejectedError):
        KeyVerifier(public(KEYS[0]())).verify(content)


def test_who_can_verify_cannot_sign() -> None:
    with pytest.raises(SigningError, match="no private key"):
        KeySigner(public(KEYS[0]()))


@pytest.mark.parametrize(
    ("pem", "says"),
    [
        (b"nonsense", "no private key"),
        (private(rsa.generate_private_key(65537, 2048)), "of a kind"),
        (private(ec.generate_private_key(ec.SECP256K1())), "secp256k1"),
        (private(KEYS[0](), BestAvailableEncryption(b"secret")), "encrypted"),
    ],
    ids=["nonsense", "rsa", "another curve", "encrypted"],
)
def test_a_key_that_cannot_sign_is_explained(pem: bytes, says: str) -> None:
    with pytest.raises(SigningError, match=says) as caught:
        KeySigner(pem)
    assert caught.value.field == "spec.signing.key"


def test_a_key_that_cannot_verify_is_explained() -> None:
    with pytest.raises(UnfitKeyError, match="of a kind"):
        KeyVerifier(public(rsa.generate_private_key(65537, 2048)))


def test_no_signer_is_asked_for() -> None:
    assert signer_of(Signing()) is None


def test_a_missing_key_names_the_field(tmp_path: Path) -> None:
    with pytest.raises(SigningError, match="No such file") as caught:
        signer_of(Signing(type="Key", key_file=str(tmp_path / "private.pem")))
    assert caught.value.field == "spec.signing.key"


def test_a_missing_token_names_the_field(tmp_path: Path) -> None:
    with pytest.raises(SigningError) as caught:
        signer_of(Signing(type="Keyless", token_file=str(tmp_path / "token"), trust_config_file=str(tmp_path / "t")))
    assert caught.value.field == "spec.signing.keyless"
