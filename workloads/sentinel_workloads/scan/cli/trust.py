"""Whose signature a person accepts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sentinel_operator.api.serving import Identity
from sentinel_workloads.scan.cli.outcome import Failed
from sentinel_workloads.signature.statements import IdentityVerifier, KeyVerifier, StatementVerifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """A public key; or an identity, its issuer, and the trust root under which they are believed."""

    key: Path | None = None
    identity: str = ""
    issuer: str = ""
    trust_root: Path | None = None

    def verifier(self) -> StatementVerifier:
        """Who is accepted; Failed when that was not said, or not in full."""
        keyless = [bool(part) for part in (self.identity, self.issuer, self.trust_root)]
        if bool(self.key) == any(keyless):
            raise Failed("say whose signature you accept: --key, or --identity, --issuer and --trust-root")
        if any(keyless) and not all(keyless):
            raise Failed("an identity is accepted by --identity, --issuer and --trust-root, all three")
        try:
            return self._opened()
        except OSError as error:
            raise Failed(f"{error.filename}: {error.strerror}") from error
        except Exception as error:
            raise Failed(f"{self.key or self.trust_root}: {' '.join(str(error).split())}") from error

    def _opened(self) -> StatementVerifier:
        if self.trust_root:
            return IdentityVerifier(self.trust_root, (Identity(subject=self.identity, issuer=self.issuer),))
        return KeyVerifier(self.key.read_bytes() if self.key else b"")
