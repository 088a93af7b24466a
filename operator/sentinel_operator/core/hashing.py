"""Names by content: equal values give equal hashes on every machine and in every release of Python."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> bytes:
    """Writes JSON in one way only: keys sorted, no blanks, UTF-8; raises ValueError for NaN and infinities."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest(value: Any) -> str:
    """Gives `sha256:…` of the canonical JSON."""
    return f"sha256:{hashlib.sha256(canonical_json(value)).hexdigest()}"


def hash8(value: Any) -> str:
    """Gives 8 hex digits of the canonical JSON's sha256: enough to tell the revisions of one object apart."""
    return hashlib.sha256(canonical_json(value)).hexdigest()[:8]
