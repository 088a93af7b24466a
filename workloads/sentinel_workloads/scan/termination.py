"""What a container leaves behind for Kubernetes to read."""

from __future__ import annotations

import json
import os
from pathlib import Path

from sentinel_operator.api.base import Model
from sentinel_operator.api.scanning import ScanFailure

MAX_BYTES = 4096
TERMINATION_LOG = "/dev/termination-log"
_SPARE = 512
"""For what JSON adds to a message, and the other fields."""


def write_termination(outcome: Model) -> None:
    """Leaves the outcome where Kubernetes reads it; a longer message would be cut within the JSON."""
    path = Path(os.environ.get("TERMINATION_LOG", TERMINATION_LOG))
    if path == Path(TERMINATION_LOG) and not path.exists():
        return  # not in a container: /dev is no place for a file of ours
    path.write_text(rendered(outcome), encoding="utf-8")


def rendered(outcome: Model) -> str:
    """The outcome as JSON of at most 4096 bytes; a long text loses its end."""
    limit = MAX_BYTES
    while len(text := json.dumps(outcome.model_dump(mode="json", by_alias=True), ensure_ascii=False)) > 0:
        if len(text.encode()) <= MAX_BYTES or not isinstance(outcome, ScanFailure):
            break
        limit = limit * 3 // 4
        outcome = outcome.model_copy(update={"message": outcome.message[: max(0, limit - _SPARE)] + "…"})
    return text
