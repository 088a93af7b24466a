"""What a verification found: each check by its name, and why it failed."""

from __future__ import annotations

from dataclasses import dataclass, field

from sentinel_operator.api.attestation import Statement


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was proven, or was not."""

    name: str
    said: str
    """What was proven, or why it was not."""
    ok: bool = True


@dataclass(slots=True)
class Verification:
    """All checks so far."""

    checks: list[Check] = field(default_factory=list)
    statement: Statement | None = None
    identity: str = ""

    @property
    def ok(self) -> bool:
        """Whether everything was proven, and there was something to prove."""
        return bool(self.checks) and all(check.ok for check in self.checks)

    def proven(self, name: str, said: str) -> None:
        """Notes what holds."""
        self.checks.append(Check(name, said))

    def refuted(self, name: str, why: str) -> None:
        """Notes what does not."""
        self.checks.append(Check(name, why, ok=False))

    def expect(self, name: str, *, found: str, signed: str) -> None:
        """Notes whether what is here, in words, is what was signed."""
        if found == signed:
            self.proven(name, signed)
        else:
            self.refuted(name, f"{found} is here, {signed} was signed")
