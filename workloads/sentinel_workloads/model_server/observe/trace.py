"""W3C trace context and request ids, as they came in or made here."""

from __future__ import annotations

import itertools
import os
import re

_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(?:-.*)?")
_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")
SAMPLED = 1

_boot = os.urandom(8).hex()
_numbers = itertools.count(1)


def request_id(given: bytes | None) -> str:
    """Gives the client's own id where it is sane, else one that no other request has."""
    if given and _REQUEST_ID.fullmatch(given):
        return given.decode()
    return f"{_boot}-{next(_numbers):x}"


def trace_of(traceparent: bytes | None) -> tuple[str, bool]:
    """Gives trace id and whether the caller records this trace; ("", False) for what is not W3C trace context."""
    found = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    if found is None:
        return "", False
    return found[1].decode(), bool(int(found[2], 16) & SAMPLED)
