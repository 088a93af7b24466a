"""sigstore's own JavaScript as a second verifier: it shares no code with what signed, nor with ours."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from demo.npm import installed_modules

HERE = Path(__file__).parent
_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """What it says of a bundle."""

    ok: bool
    payload: str = ""
    """The signed statement, base64."""
    identity: str = ""
    error: str = ""


def verified_by_key(bundle: Path, public_key: Path) -> Answer:
    """Asks whether the bundle was signed with the private half of the key (PEM)."""
    return _ask(bundle, "key", str(public_key))


def verified_by_identity(bundle: Path, *, trusted_root: Path, subject: str, issuer: str) -> Answer:
    """Asks whether the bundle was signed by the identity, under a sigstore TrustedRoot (JSON)."""
    return _ask(bundle, "identity", str(trusted_root), subject, issuer)


def _ask(bundle: Path, *trust: str) -> Answer:
    command = ["node", str(HERE / "verify.js"), str(installed_modules(HERE)), str(bundle), *trust]
    answered = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=True)
    return Answer(**json.loads(answered.stdout))
