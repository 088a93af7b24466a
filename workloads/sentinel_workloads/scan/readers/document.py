"""A document as it was found, or why none could be."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Protocol

from sentinel_operator.api.scanning import Work

MAX_NAME = 256
EXHAUSTED = 2**62
"""Offset of a part that has no more documents; perhaps the digest of its object is not known yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a document cannot be judged; `rule` is stable, the message is for people."""

    rule: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A text to judge, or a fault. `digest` is that of the text, or of the raw bytes where there is none."""

    object: str
    row: int
    digest: str
    text: str = ""
    fault: Fault | None = None
    id: str = ""
    label: str = ""
    next_offset: int
    """Where reading goes on after this document."""
    reached: int
    """Bytes of the part that were read with it."""
    whole: bool = False
    """The document is all of its object."""
    raw: bytes = b""
    """What could not be read, when it is not too large to be kept."""


class Reader(Protocol):
    """Reads one part of one object, once."""

    sha256: str
    """Of the whole object, when all documents have been read, and this part is the one that reads it whole."""

    def documents(self) -> AsyncGenerator[Document, None]:
        """The documents of the part from where it was told to begin. What the store raises goes through."""
        ...


def digest_of(raw: bytes) -> str:
    """The digest under which a document is known."""
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def name_of(value: Any) -> str:
    """An id or a label as it is reported: short, and always something that UTF-8 can say."""
    if value is None or isinstance(value, dict | list):
        return ""
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
    return text[:MAX_NAME].encode("utf-8", "backslashreplace").decode()


def rest_of(work: Work, fault: Fault) -> Document:
    """What stands for all that could not be read of a part; nothing follows it."""
    return Document(
        object=work.object,
        row=-1 - work.start,
        digest=digest_of(b""),
        fault=fault,
        next_offset=EXHAUSTED,
        reached=work.size,
        whole=work.end < 0,
    )
