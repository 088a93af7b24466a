"""Cuts text into windows of a sentence or two: what the encoder reads at once, and what a finding can point at.

An attack is seldom longer than a sentence; in a longer window what surrounds it would outweigh it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LONGEST = 160
"""Code points of a window at most."""
USUAL = 120
"""Code points after which a window ends at the next sentence's end before it."""
_SHORTEST = 40
_OVERLAP = 40
"""Code points that are read twice where a sentence had to be cut."""
_SENTENCE_END = re.compile(r"[.!?;:。！？]\s|\n")
_TEXT = re.compile(r"\S")


def windows(text: str) -> Iterator[tuple[int, int]]:
    """Gives [start, end) of every window of a normalised text, in order; together they cover all of it."""
    start = 0
    while first := _TEXT.search(text, start):
        start = first.start()
        if len(text) - start <= LONGEST:
            yield start, len(text)
            return
        end, whole = _end(text, start)
        yield start, end
        start = end if whole else _back(text, end)


def _end(text: str, start: int) -> tuple[int, bool]:
    """Gives where the window ends, and whether a sentence does."""
    last = 0
    for found in _SENTENCE_END.finditer(text, start + _SHORTEST, start + USUAL):
        last = found.end()
    if last:
        return last, True
    space = text.rfind(" ", start + _SHORTEST, start + USUAL)
    return (space + 1 if space >= 0 else start + USUAL), False


def _back(text: str, end: int) -> int:
    space = text.rfind(" ", end - _OVERLAP, end - 1)
    return space + 1 if space >= 0 else end - _OVERLAP
