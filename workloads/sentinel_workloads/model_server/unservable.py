"""Why this server can never become ready, told in the words of the resource's spec."""

from __future__ import annotations

import os
from pathlib import Path

from sentinel_operator.api.serving import ExitCode, Termination

TERMINATION_LOG = "/dev/termination-log"
MAX_TERMINATION_BYTES = 4096
MAX_FIELD = 512
ELLIPSIS = "…"


class Unservable(Exception):  # noqa: N818 - a verdict on the model
    """The process ends with `code`; `field` is the path of the spec's field that the user has to look at."""

    def __init__(self, code: ExitCode, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.field = field
        self.message = message


def mismatch(message: str, *, field: str) -> Unservable:
    """Says that the model and spec.schema disagree."""
    return Unservable(ExitCode.SchemaMismatch, message, field=field)


def termination_of(error: Unservable) -> bytes:
    """Gives the termination message: at most 4096 bytes of JSON, the message cut where it is longer."""
    message = error.message
    while True:
        termination = Termination(reason=error.code.name, field=error.field[:MAX_FIELD], message=message)
        body = termination.model_dump_json(by_alias=True, exclude_none=True).encode()
        excess = len(body) - MAX_TERMINATION_BYTES
        if excess <= 0:
            return body
        kept = message.removesuffix(ELLIPSIS).encode()[: -excess - len(ELLIPSIS.encode())]
        message = kept.decode(errors="ignore") + ELLIPSIS


def write_termination(error: Unservable) -> None:
    """Leaves the reason where the kubelet reads it; outside a pod there is no such file and nothing is written."""
    target = Path(os.environ.get("TERMINATION_LOG", TERMINATION_LOG))
    if "TERMINATION_LOG" in os.environ or target.exists():
        target.write_bytes(termination_of(error))
