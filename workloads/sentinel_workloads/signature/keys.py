"""Keys that sign statements: P-256, P-384, P-521 and Ed25519, each with the hash that sigstore fixes for it.

https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_common.proto (PublicKeyDetails)
"""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from sentinel_workloads.signature.bundle import RejectedError

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
    "secp521r1": hashes.SHA512(),
}


class UnfitKeyError(ValueError):
    """A key that no statement is signed with here; the message says why."""


def private_key(pem: bytes) -> PrivateKey:
    """The key in the PEM; UnfitKeyError says what is wrong with it."""
    try:
        key = load_pem_private_key(pem, password=None)
    except ValueError as error:
        raise UnfitKeyError("this is no private key in PEM") from error
    except TypeError as error:
        raise UnfitKeyError("the private key is encrypted: a pod has nobody to ask for its password") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        raise UnfitKeyError(f"the private key is of a kind that does not sign here ({type(key).__name__})")
    _supported(key.public_key())
    return key


def public_key(pem: bytes) -> PublicKey:
    """The key in the PEM; UnfitKeyError says what is wrong with it."""
    try:
        key = load_pem_public_key(pem)
    except ValueError as error:
        raise UnfitKeyError("this is no public key in PEM") from error
    if not isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey):
        raise UnfitKeyError(f"the public key is of a kind that does not sign here ({type(key).__name__})")
    _supported(key)
    return key


def fingerprint(key: PublicKey) -> str:
    """`sha256:…` of the key's SubjectPublicKeyInfo: by this a key is named."""
    return f"sha256:{hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()}"


def hint(key: PublicKey) -> str:
    """How model-signing writes down which key signed: SHA-256 in hex of the PEM."""
    return hashlib.sha256(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def sign(key: PrivateKey, data: bytes) -> bytes:
    """The signature over the data."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    return key.sign(data, ec.ECDSA(_HASHES[key.curve.name]))


def check(key: PublicKey, signature: bytes, data: bytes) -> None:
    """Returns when the key's private half signed the data; RejectedError otherwise."""
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, data)
        else:
            key.verify(signature, data, ec.ECDSA(_HASHES[key.curve.name]))
    except InvalidSignature as error:
        raise RejectedError("the signature was not made with this key, or its content was changed") from error


def _supported(key: PublicKey) -> None:
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name not in _HASHES:
        raise UnfitKeyError(f"keys on the curve {key.curve.name} do not sign here; {', '.join(_HASHES)} do")
