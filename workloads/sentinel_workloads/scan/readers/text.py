"""What a text must be to be judged: UTF-8, of some size at most, and text rather than something else in its clothes."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from sentinel_workloads.scan.readers.document import Fault

HEAD_BYTES = 4096
# What no text holds, whatever its encoding: all control characters but tab, line ends, form feed, backspace, escape.
_CONTROL = re.compile(rb"[\x00-\x07\x0e-\x1a\x1c-\x1f]")


def text_fault(text: str, max_bytes: int) -> Fault | None:
    """Why a text out of a row cannot be judged."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        return Fault(rule="not-unicode", message=f"character {error.start} of the text is half a character")
    if size > max_bytes:
        return Fault(rule="too-large", message=f"the text has {size} bytes; {max_bytes} are judged at most")
    return None


def decoded(raw: bytes) -> tuple[str, Fault | None]:
    """The text of bytes, exactly; or the place of the first that is not UTF-8."""
    try:
        return raw.decode(), None
    except UnicodeDecodeError as error:
        return "", Fault(rule="not-utf8", message=f"byte {error.start} of the object is not UTF-8")


def plainly_text(head: bytes) -> bool:
    """Tells whether the beginning of an object can only be text: UTF-8 without control characters."""
    if _CONTROL.search(head):
        return False
    try:
        head[:HEAD_BYTES].decode()
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data" and error.start > len(head[:HEAD_BYTES]) - 4
    return True


def kind_of(content: bytes) -> tuple[str, bool]:
    """What magika takes bytes for, and whether that is text."""
    found = _magika().identify_bytes(content).output
    return str(found.label), bool(found.is_text) or (str(found.label) in {"unknown", "empty"} and plainly_text(content))


def not_text(content: bytes, *, known: bool) -> Fault | None:
    """Why bytes are not judged as text. Of an object whose name says that it is text, only bytes that no text holds
    make one doubt it; any other is asked about."""
    if known and plainly_text(content[:HEAD_BYTES]):
        return None
    kind, textual = kind_of(content)
    if textual and not _CONTROL.search(content[:HEAD_BYTES]):
        return None
    return Fault(rule="not-text", message=f"the object is not text but {kind}")


def strange_kind(head: bytes) -> str:
    """What the beginning of a file of rows is, when it is no text; nothing when it is."""
    if plainly_text(head):
        return ""
    kind, textual = kind_of(head)
    return "" if textual else kind


@cache
def _magika() -> Any:
    from magika import Magika  # noqa: PLC0415 - 25 MiB of memory, which few datasets need

    return Magika()
