"""Signs models as their authors do: with model-signing, by key, by certificate of an own CA, by identity."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import model_signing
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sentinel_operator.api.serving import CertificateAuthority, Identity, KeyAuthority, KeylessAuthority
from tests.integration.fetch.harness import write_files
from tests.integration.fetch.https_server import certificate, pem
from tests.support.sigstore_mock import SigstoreMock

FILES = {"model.onnx": b"weights" * 1000, "tokenizer/tokenizer.json": b"{}", "config.json": b'{"a": 1}'}
ISSUER = "https://kubernetes.default.svc.cluster.local"
SUBJECT = "https://kubernetes.io/namespaces/ml/serviceaccounts/signer"


@dataclass(frozen=True, slots=True)
class KeySigner:
    """A key pair."""

    folder: Path
    name: str = "release"

    @classmethod
    def new(cls, folder: Path, *, name: str = "release", curve: ec.EllipticCurve | None = None) -> KeySigner:
        folder.mkdir(parents=True)
        key = ec.generate_private_key(curve or ec.SECP256R1())
        (folder / "key.pem").write_bytes(pem(key))
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (folder / "key.pub").write_bytes(public)
        return cls(folder, name)

    @property
    def authority(self) -> KeyAuthority:
        return KeyAuthority(name=self.name, public_key_file=str(self.folder / "key.pub"))

    def config(self) -> Any:
        return model_signing.signing.Config().use_elliptic_key_signer(private_key=self.folder / "key.pem")


@dataclass(frozen=True, slots=True)
class CertificateSigner:
    """A signing certificate under an own CA."""

    folder: Path
    name: str = "company"

    @classmethod
    def new(cls, folder: Path, *, name: str = "company") -> CertificateSigner:
        folder.mkdir(parents=True)
        ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        ca = certificate(f"{name} CA", key=ca_key, issuer=f"{name} CA", issuer_key=ca_key, ca=True)
        leaf = certificate(f"{name} signer", key=key, issuer=f"{name} CA", issuer_key=ca_key)
        (folder / "key.pem").write_bytes(pem(key))
        (folder / "ca.pem").write_bytes(ca.public_bytes(Encoding.PEM))
        (folder / "leaf.pem").write_bytes(leaf.public_bytes(Encoding.PEM))
        return cls(folder, name)

    @property
    def authority(self) -> CertificateAuthority:
        return CertificateAuthority(name=self.name, chain_file=str(self.folder / "ca.pem"))

    def config(self) -> Any:
        return model_signing.signing.Config().use_certificate_signer(
            private_key=self.folder / "key.pem",
            signing_certificate=self.folder / "leaf.pem",
            certificate_chain=[self.folder / "ca.pem"],
        )


@dataclass(frozen=True, slots=True)
class KeylessSigner:
    """An identity that a sigstore vouches for."""

    sigstore: SigstoreMock
    issuer: str = ISSUER
    subject: str = SUBJECT
    name: str = "pipeline"

    def authority(self, *identities: Identity, trust_root: Path | None = None) -> KeylessAuthority:
        chosen = identities or (Identity(issuer=self.issuer, subject=self.subject),)
        root = str(trust_root or self.sigstore.trusted_root)
        return KeylessAuthority(name=self.name, trust_root_file=root, identities=chosen)

    def config(self) -> Any:
        now = int(time.time())
        claims = {"aud": "sigstore", "iss": self.issuer, "sub": self.subject, "iat": now, "exp": now + 600}
        token = jwt.encode(claims, "k" * 32, algorithm="HS256")
        return model_signing.signing.Config().use_sigstore_signer(
            identity_token=token, trust_config=self.sigstore.trust_config
        )


Signer = KeySigner | CertificateSigner | KeylessSigner


def a_signed_model(folder: Path, signer: Signer, files: Mapping[str, bytes] = FILES) -> Path:
    """A folder with these files and their signature."""
    write_files(folder, files)
    hashing = model_signing.hashing.Config().set_ignored_paths(paths=[folder / "model.sig"], ignore_git_paths=True)
    signer.config().set_hashing_config(hashing).sign(folder, folder / "model.sig")
    return folder


def a_signed_file(path: Path, signer: Signer, content: bytes = b"weights") -> Path:
    """A file with its signature beside it, made with the file alone in a folder."""
    alone = write_files(path.parent / "alone", {path.name: content})
    signer.config().sign(alone, path.parent / f"{path.name}.sig")
    (alone / path.name).rename(path)
    return path
