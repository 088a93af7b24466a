"""Signs artifacts offline with an elliptic-curve key, in the format of OpenSSF model signing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from model_signing import hashing, signing, verifying

from demo.models.digest import SIGNATURE


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Where the private and the public key lie, both PEM."""

    private: Path
    public: Path


def key_pair(directory: Path) -> KeyPair:
    """Gives the P-256 key pair in the directory: taken when signing.key is there, made when not."""
    directory.mkdir(parents=True, exist_ok=True)
    pair = KeyPair(directory / "signing.key", directory / "signing.pub")
    if pair.private.exists():
        key = serialization.load_pem_private_key(pair.private.read_bytes(), password=None)
    else:
        key = ec.generate_private_key(ec.SECP256R1())
        _write_private(pair.private, key)
    pair.public.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return pair


def sign_directory(artifact: Path, pair: KeyPair) -> Path:
    """Signs every file of the directory but the signature itself; gives the signature's path."""
    signature = artifact / SIGNATURE
    signature.unlink(missing_ok=True)
    config = signing.Config()  # type: ignore[no-untyped-call]
    config.use_elliptic_key_signer(private_key=pair.private).set_hashing_config(_hashing()).sign(artifact, signature)
    return signature


def verify_directory(artifact: Path, public_key: Path) -> None:
    """Returns when the signature is by the key and covers exactly these files; raises ValueError otherwise."""
    config = verifying.Config()  # type: ignore[no-untyped-call]
    config.use_elliptic_key_verifier(public_key=public_key).set_hashing_config(_hashing())
    config.verify(artifact, artifact / SIGNATURE)


def _hashing() -> hashing.Config:
    config = hashing.Config()  # type: ignore[no-untyped-call]
    return config.set_ignored_paths(paths=[SIGNATURE])


def _write_private(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.touch(mode=0o600, exist_ok=False)
    path.write_bytes(pem)
