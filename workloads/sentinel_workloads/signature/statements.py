"""Verifies that a bundle holds an in-toto statement signed by whom one trusts. Nothing is asked over the network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, assert_never

from sentinel_operator.api.serving import (
    Authority,
    CertificateAuthority,
    Identity,
    KeyAuthority,
    KeylessAuthority,
)
from sentinel_workloads.signature import keys
from sentinel_workloads.signature.bundle import RejectedError, material_of
from sentinel_workloads.signature.envelope import PAYLOAD_TYPE, envelope_of


@dataclass(frozen=True, slots=True)
class SignedStatement:
    """The statement that was signed, byte for byte, and by whom: a key's fingerprint or a certificate's identity."""

    payload: bytes
    identity: str


class StatementVerifier(Protocol):
    """Somebody whose signature is accepted."""

    def verify(self, bundle: bytes) -> SignedStatement:
        """The statement in the bundle; RejectedError when it is not signed by this one."""
        ...


class KeyVerifier:
    """Accepts what was signed with the private half of one key."""

    def __init__(self, pem: bytes) -> None:
        self._key = keys.public_key(pem)

    def verify(self, bundle: bytes) -> SignedStatement:
        """The statement that the key signed."""
        if (material := material_of(bundle)) != "publicKey":
            raise RejectedError(f"signed with a certificate ({material}), not with a key")
        envelope, hint = envelope_of(bundle)
        if hint and hint != keys.hint(self._key):
            raise RejectedError("signed with another key: the hint in the bundle is not this key's")
        keys.check(self._key, envelope.signature, envelope.signed)
        return SignedStatement(envelope.payload, keys.fingerprint(self._key))


class IdentityVerifier:
    """Accepts what one of the identities signed under one sigstore trust root."""

    def __init__(self, trust_root: Path, identities: tuple[Identity, ...]) -> None:
        from sigstore.models import TrustedRoot  # noqa: PLC0415 - costs a second
        from sigstore.verify import Verifier  # noqa: PLC0415

        from sentinel_workloads.signature.identity import IdentityPolicy  # noqa: PLC0415

        trust_root.read_bytes()  # the library's own error does not name the file
        self._policy = IdentityPolicy(identities)
        self._verifier = Verifier(trusted_root=TrustedRoot.from_file(str(trust_root)))

    def verify(self, bundle: bytes) -> SignedStatement:
        """The statement that the identity signed."""
        from sigstore.errors import Error  # noqa: PLC0415 - costs a second
        from sigstore.models import Bundle  # noqa: PLC0415

        if material_of(bundle) == "publicKey":
            raise RejectedError("signed with a key, not by an identity")
        try:
            kind, payload = self._verifier.verify_dsse(Bundle.from_json(bundle), self._policy)
        except (Error, ValueError) as error:
            raise RejectedError(" ".join(str(error).split()) or type(error).__name__) from error
        if kind != PAYLOAD_TYPE:
            raise RejectedError(f"a payload of type {kind!r} is signed, not an in-toto statement")
        return SignedStatement(bytes(payload), self._policy.matched)


def statement_verifier(authority: Authority) -> StatementVerifier:
    """The verifier of an authority, its trust material read; ValueError or OSError when that cannot be used."""
    match authority:
        case KeyAuthority():
            return KeyVerifier(Path(authority.public_key_file).read_bytes())
        case KeylessAuthority():
            return IdentityVerifier(Path(authority.trust_root_file), authority.identities)
        case CertificateAuthority():
            raise ValueError("reports of scans are signed by a key or by an identity, not under a CA of one's own")
        case _:
            assert_never(authority)
