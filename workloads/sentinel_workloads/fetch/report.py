"""What the outside learns: the container's termination message."""

from __future__ import annotations

import json
import os
from pathlib import Path

from sentinel_operator.api.serving import Termination, Verification
from sentinel_workloads.objectstore.failures import Failure

MAX_BYTES = 4096
TERMINATION_LOG = "/dev/termination-log"


def success(verification: Verification) -> Termination:
    """The message of a container that handed an artifact over."""
    return Termination(verification=verification)


def failure(cause: Failure) -> Termination:
    """The message of a container that did not."""
    return Termination(reason=cause.code.name, field=cause.field, message=cause.message)


def write_termination(termination: Termination) -> None:
    """Leaves the message where Kubernetes reads it, at most 4096 bytes of it: a longer one would be cut in the JSON."""
    path = Path(os.environ.get("TERMINATION_LOG", TERMINATION_LOG))
    if path == Path(TERMINATION_LOG) and not path.exists():
        return  # not in a container: /dev is no place for a file of ours
    path.write_text(rendered(termination), encoding="utf-8")


def rendered(termination: Termination) -> str:
    """The message as JSON; a text that is too long loses its end."""
    while len((text := _json(termination)).encode()) > MAX_BYTES:
        verification = termination.verification
        if termination.message:
            termination = termination.model_copy(update={"message": _shorter(termination.message)})
        elif verification and verification.warning:
            shorter = verification.model_copy(update={"warning": _shorter(verification.warning)})
            termination = termination.model_copy(update={"verification": shorter})
        else:
            raise ValueError("a termination message without any text is too long")
    return text


def _json(termination: Termination) -> str:
    parts = termination.model_dump(mode="json", by_alias=True, exclude_none=True)
    return json.dumps({key: value for key, value in parts.items() if value != ""}, ensure_ascii=False)


def _shorter(text: str) -> str:
    return text.removesuffix("…")[: max(0, int(len(text) * 0.9) - 2)] + "…" if len(text) > 2 else ""
