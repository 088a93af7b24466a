"""Text that stands encoded within text: base64, hex, percent, HTML entities and escapes, put in the clear in its place.

Nothing is ever longer decoded than encoded, so no input can blow up; the caller bounds how often this is repeated. What
does not decode to text of words stays as it is: digests, keys and identifiers are not touched.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from sentinel_workloads.scan.detect.normalise.offsets import Layer, Rewriter

BASE64, HEX, PERCENT, ENTITIES, ESCAPES = "base64", "hex", "percent-encoding", "html-entities", "escapes"
_LEAST = 8
"""Characters that a decoded piece has at least: shorter ones may be words by accident."""
_CERTAIN = 16
"""Printable ASCII characters that are no accident even if they are no words: another encoding, or a token's JSON."""
_READABLE = 0.8
"""Share of letters and spaces in text of words."""


_ALIGNED = 64
"""Characters of base64 from which on its beginning is searched for."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How one encoding looks, a sign without which it is not in the text, and how it is read (None: it is not)."""

    name: str
    pattern: re.Pattern[str]
    decode: Callable[[str], str | None]


def decode(text: str) -> tuple[str, tuple[Layer, ...]]:
    """Gives the text with what is encoded in the clear, one level deep, and the layers that lead back."""
    layers = []
    for encoding in _ENCODINGS:
        rewriter = Rewriter(text)
        for found in encoding.pattern.finditer(text):
            clear = encoding.decode(found.group())
            if clear is not None and clear != found.group():
                rewriter.replace(found.start(), found.end(), by=clear, kind=encoding.name)
        if rewriter.layer:
            text = rewriter.result()
            layers.append(rewriter.layer)
    return text, tuple(layers)


def _from_base64(found: str) -> str | None:
    packed = re.sub(r"\s+", "", found).rstrip("=").replace("-", "+").replace("_", "/")
    # What stands right before may have pushed it out of its groups of four; a short one is a word more often than not.
    for skipped in range(4 if len(packed) >= _ALIGNED else 1):
        part = packed[skipped:]
        if len(part) % 4 == 1:
            part = part[:-1]
        try:
            words = _words(base64.b64decode(part + "=" * (-len(part) % 4), validate=True))
        except (binascii.Error, ValueError):
            continue
        if words is not None:
            return words
    return None


def _from_hex(found: str) -> str | None:
    digits = re.sub(r"\\x|0x|[\s:,]", "", found)
    try:
        return _words(bytes.fromhex(digits))
    except ValueError:
        return None


def _words(raw: bytes) -> str | None:
    """Gives the text that the bytes are, when it is one of words."""
    for encoding in ("utf-16-le", "utf-8") if raw[1::2].count(0) > len(raw) // 3 else ("utf-8",):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        readable = sum(character.isalpha() or character.isspace() for character in text)
        if len(text) >= _LEAST and readable >= _READABLE * len(text):
            return text
        if len(text) >= _CERTAIN and text.isascii() and "".join(text.split()).isprintable():
            return text
    return None


def _from_percent(found: str) -> str | None:
    clear = unquote(found, errors="replace")
    return None if "\ufffd" in clear else clear


def _from_escapes(found: str) -> str | None:
    try:
        codes = re.sub(r"\\u\{?|\}", " ", found).split()
        text = "".join(chr(int(code, 16)) for code in codes)
        text = text.encode("utf-16", "surrogatepass").decode("utf-16")
    except (ValueError, OverflowError, UnicodeDecodeError):
        return None
    return text if all(c.isprintable() or c.isspace() or ord(c) > 0x1FFF for c in text) else None


_ENCODINGS = (
    Encoding(ENTITIES, re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});"), html.unescape),
    Encoding(PERCENT, re.compile(r"(?:%[0-9a-fA-F]{2})+"), _from_percent),
    Encoding(ESCAPES, re.compile(r"(?:\\u(?:[0-9a-fA-F]{4}|\{[0-9a-fA-F]{2,6}\}))+"), _from_escapes),
    Encoding(HEX, re.compile(r"(?:\\x[0-9a-fA-F]{2}){4,}"), _from_hex),
    Encoding(HEX, re.compile(r"\b(?:0x)?[0-9a-fA-F]{2}(?:[ :,]{1,2}(?:0x)?[0-9a-fA-F]{2}){7,}\b"), _from_hex),
    Encoding(HEX, re.compile(r"\b(?:0x)?(?:[0-9a-fA-F]{2}){8,}\b"), _from_hex),
    Encoding(BASE64, re.compile(r"[A-Za-z0-9+/_-]{16,}(?:\r?\n[A-Za-z0-9+/_-]{16,})*={0,2}"), _from_base64),
)
