"""The cluster's own certificates: one authority, short names, made anew for every cluster."""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFE = dt.timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Pki:
    """A folder with `ca.crt` and pairs `NAME.crt`, `NAME.key`."""

    folder: Path

    @classmethod
    def create(cls, folder: Path) -> Pki:
        """Makes the authority and the key that signs service account tokens."""
        folder.mkdir(parents=True, exist_ok=True)
        pki = cls(folder)
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "devcluster")])
        certificate = (
            _builder(name, key.public_key())
            .issuer_name(name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        pki._write("ca", certificate, key)
        tokens = rsa.generate_private_key(65537, 2048)
        pki._write_secret("sa.key", _pem(tokens))
        public = tokens.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        (folder / "sa.pub").write_bytes(public)
        return pki

    def issue(self, file: str, *, name: str, groups: Iterable[str] = (), addresses: Iterable[str] = ()) -> None:
        """Makes the pair `file`.crt and `file`.key for a user or server of this name."""
        authority = x509.load_pem_x509_certificate((self.folder / "ca.crt").read_bytes())
        signer = serialization.load_pem_private_key((self.folder / "ca.key").read_bytes(), None)
        assert isinstance(signer, ec.EllipticCurvePrivateKey)  # noqa: S101 - made above
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [
                *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups),
                x509.NameAttribute(NameOID.COMMON_NAME, name),
            ]
        )
        alternatives = [_general_name(address) for address in addresses] or [x509.DNSName("localhost")]
        certificate = (
            _builder(subject, key.public_key())
            .issuer_name(authority.subject)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
                critical=False,
            )
            .sign(signer, hashes.SHA256())
        )
        self._write(file, certificate, key)

    def base64(self, file: str) -> str:
        """Gives one file as a kubeconfig carries it."""
        return base64.b64encode((self.folder / file).read_bytes()).decode()

    def _write(self, file: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        (self.folder / f"{file}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self._write_secret(f"{file}.key", _pem(key))

    def _write_secret(self, file: str, content: bytes) -> None:
        path = self.folder / file
        path.touch(mode=0o600)
        path.write_bytes(content)


def _builder(subject: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + _LIFE)
    )


def _general_name(address: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(address))
    except ValueError:
        return x509.DNSName(address)


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
