"""Short-lived certificates as authority: a sigstore trust root from a file, and the identities that may sign.

Nothing is asked over the network: the bundle carries the log's proof and the trust root the log's key.
"""

from __future__ import annotations

from pathlib import Path

from model_signing._signing.sign_sigstore import Signature
from model_signing._signing.signing import Signature as AnySignature
from model_signing._signing.signing import Verifier as StatementVerifier
from sigstore.errors import VerificationError
from sigstore.models import TrustedRoot
from sigstore.verify import Verifier
from typing_extensions import override

from sentinel_operator.api.serving import Identity
from sentinel_workloads.fetch.signature.authority import Signed, material_in
from sentinel_workloads.fetch.signature.statement import signed_files
from sentinel_workloads.signature.bundle import RejectedError
from sentinel_workloads.signature.identity import IdentityPolicy


class KeylessJudge:
    """Accepts what one of the identities signed under one trust root."""

    def __init__(self, name: str, trust_root: Path, identities: tuple[Identity, ...]) -> None:
        self.name = name
        self._policy = IdentityPolicy(identities)
        trust_root.read_bytes()  # the library's own error does not name the file
        self._verifier = _DsseVerifier(Verifier(trusted_root=TrustedRoot.from_file(str(trust_root))), self._policy)

    def judge(self, bundle: Path) -> Signed:
        """The files that the identity signed."""
        if (material := material_in(bundle)) == "publicKey":
            raise RejectedError("signed with a key, not by an identity")
        try:
            manifest = self._verifier.verify(Signature.read(bundle))
        except VerificationError as error:
            raise RejectedError(f"{error} ({material})" if not str(error) else str(error)) from error
        return Signed(signed_files(manifest), self._policy.matched)


class _DsseVerifier(StatementVerifier):
    """model-signing's reading of the statement behind a policy of ours: its own knows neither patterns nor lists."""

    def __init__(self, verifier: Verifier, policy: IdentityPolicy) -> None:
        self._verifier, self._policy = verifier, policy

    @override
    def _verify_signed_content(self, signature: AnySignature) -> tuple[str, bytes]:
        assert isinstance(signature, Signature)  # noqa: S101 - narrows what the base class widens
        kind, payload = self._verifier.verify_dsse(signature.bundle, self._policy)
        return str(kind), bytes(payload)
