"""The text that a document says whatever it was dressed up as, with every part of it traced to the original."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from importlib.resources import files

from sentinel_workloads.scan.detect.normalise.characters import fold
from sentinel_workloads.scan.detect.normalise.encodings import decode
from sentinel_workloads.scan.detect.normalise.offsets import Layer, Rewriter
from sentinel_workloads.scan.detect.normalise.spelling import spell

VERSION = "1"
"""Changes with everything that can change a normalised text."""
DEPTH = 3
"""Encodings within encodings that are taken off."""
_SPACE = re.compile(r"[^\S\n ]|\s\s+")


@dataclass(frozen=True, slots=True)
class Normalised:
    """Plain lower-case text and the way back; `disguises` counts what was taken off."""

    text: str
    disguises: dict[str, int]
    layers: tuple[Layer, ...]

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """Gives the code points of the original text that [start, end) of the normalised one comes from."""
        for layer in reversed(self.layers):
            start, end = layer.before(start, end)
        return start, end

    def decoded(self, start: int, end: int) -> str:
        """Names what had to be taken off for [start, end) to show, outermost first, joined by +."""
        names: list[str] = []
        for layer in reversed(self.layers):
            names[:0] = [name for name in sorted(layer.kinds(start, end)) if name and name not in names]
            start, end = layer.before(start, end)
        return "+".join(names)


class Fingerprint:
    """SHA-256 over the words alone, part after part: texts that differ in disguise or white space have the same one."""

    __slots__ = ("_begun", "_hash")

    def __init__(self) -> None:
        self._hash, self._begun = hashlib.sha256(), False

    def add(self, text: str) -> None:
        """Takes the next part of the normalised text."""
        words = " ".join(text.split())
        if words:
            self._hash.update(((" " if self._begun else "") + words).encode("utf-8", "surrogatepass"))
            self._begun = True

    def hex(self) -> str:
        """Gives the fingerprint of all that was added."""
        return self._hash.hexdigest()


def digest() -> str:
    """Gives the SHA-256 of all that decides how a text is normalised: this package and Python's Unicode tables."""
    result = hashlib.sha256(unicodedata.unidata_version.encode())
    for file in sorted(files(__package__).iterdir(), key=lambda file: file.name):
        if file.name.endswith((".py", ".txt")):
            result.update(file.name.encode() + b"\0" + file.read_bytes())
    return result.hexdigest()


def normalise(text: str) -> Normalised:
    """Gives what the text says. Takes time and memory in proportion to its length, whatever it holds."""
    layers: list[Layer] = []
    for _ in range(DEPTH):
        text, folded = fold(text)
        text, decoded = decode(text)
        layers += [*folded, *decoded]
        if not decoded:
            break
    else:
        text, folded = fold(text)
        layers += folded
    text, spelt = spell(text)
    text, spaces = _tidy(text)
    layers += [*spelt, spaces]
    counts: Counter[str] = Counter()
    for layer in layers:
        counts.update(layer.counts())
    return Normalised(text.lower(), dict(sorted(counts.items())), tuple(layer for layer in layers if layer))


def _tidy(text: str) -> tuple[str, Layer]:
    """Gives white space as one space, or as one line break where there was any."""
    rewriter = Rewriter(text)
    for space in _SPACE.finditer(text):
        rewriter.replace(space.start(), space.end(), by="\n" if "\n" in space.group() else " ")
    return rewriter.result(), rewriter.layer
