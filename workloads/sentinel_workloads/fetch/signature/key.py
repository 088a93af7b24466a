"""A public key as authority: model-signing's own format, a sigstore bundle with a key hint and no certificate."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from model_signing._signing.sign_ec_key import Verifier
from model_signing._signing.sign_sigstore_pb import Signature

from sentinel_workloads.fetch.signature.authority import Signed, material_in
from sentinel_workloads.fetch.signature.statement import signed_files
from sentinel_workloads.signature.bundle import RejectedError


class KeyJudge:
    """Accepts what was signed with the private half of one key."""

    def __init__(self, name: str, public_key: Path) -> None:
        self.name = name
        spki = load_pem_public_key(public_key.read_bytes()).public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        self._identity = f"sha256:{hashlib.sha256(spki).hexdigest()}"
        self._verifier = Verifier(public_key)

    def judge(self, bundle: Path) -> Signed:
        """The files that the key signed."""
        if (material := material_in(bundle)) != "publicKey":
            raise RejectedError(f"signed with a certificate ({material}), not with a key")
        try:
            manifest = self._verifier.verify(Signature.read(bundle))
        except InvalidSignature as error:
            raise RejectedError("the signature was not made with this key, or its content was changed") from error
        return Signed(signed_files(manifest), self._identity)
