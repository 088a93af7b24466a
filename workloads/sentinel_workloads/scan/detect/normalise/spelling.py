"""Words that were spelt apart or in digits ("i g n o r e", "1gn0r3"), put together where they are words for certain.

What is no English word after the change stays untouched: dates, numbers, versions, digests, identifiers, formulas.
"""

from __future__ import annotations

import math
import re

import re2  # type: ignore[import-untyped]

from sentinel_workloads.scan.detect.normalise.offsets import Layer, Rewriter
from sentinel_workloads.scan.detect.normalise.words import by_skeleton, ranks, skeleton

LEETSPEAK, SPACED = "leetspeak", "letter-spacing"
_LEET_SIGN = re2.compile(r"[a-zA-Z][0134578@$!|+]|[0134578@$!|+][a-zA-Z]")
_TOKEN = re.compile(r"[A-Za-z0-9@$!|+€]+")
_EDGE = "!|+$@"
_SHORT = 4
"""Tokens of fewer characters are decoded only beside longer ones: b1t may be a name, 1gn0r3 is not."""
_SPACED = re2.compile(r"(?:\b[A-Za-z][ ._*|/-]{1,3}){4,}[A-Za-z]\b")
_PIECES = re.compile(r"[ ]{2,}|[ ][|/*.][ ]")
_LONGEST_WORD = 20
_LONGEST_RUN = 2_000
_COVERED = 0.8
"""Share of the letters that must belong to words of three letters and more."""
_REAL_WORD = 5
"""Letters that one of the words has at least: three may come together by accident."""


def spell(text: str) -> tuple[str, tuple[Layer, ...]]:
    """Gives the text with such words put together, and the layers that lead back."""
    layers = []
    for change in (_join, _unleet):
        text, layer = change(text)
        if layer:
            layers.append(layer)
    return text, tuple(layers)


def _unleet(text: str) -> tuple[str, Layer]:
    rewriter = Rewriter(text)
    if not _LEET_SIGN.search(text):
        return text, rewriter.layer
    found = [(token.start(), *spelt) for token in _TOKEN.finditer(text) if (spelt := _spelt(token.group()))]
    certain = any(end - begin > _SHORT for _, begin, end, _ in found)
    for start, begin, end, word in found:
        if certain or end - begin > _SHORT:
            rewriter.replace(start + begin, start + end, by=word, kind=LEETSPEAK)
    return rewriter.result(), rewriter.layer


def _spelt(token: str) -> tuple[int, int, str] | None:
    """Gives which part of the token spells which word, when it does so with digits or signs among letters."""
    if len(token) < 3 or len(token) > _LONGEST_WORD or token.isalpha() or not any(c.isalpha() for c in token):
        return None
    right = len(token.rstrip("!|+"))
    left = len(token) - len(token.lstrip(_EDGE))
    for begin, end in ((0, right), (left, right), (0, len(token))):
        part = token[begin:end]
        if part.isalpha():
            return None
        word = by_skeleton().get(skeleton(part))
        if word is not None and end - begin >= 3:
            return begin, end, word
    return None


def _join(text: str) -> tuple[str, Layer]:
    rewriter = Rewriter(text)
    for run in _SPACED.finditer(text):
        if run.end() - run.start() <= _LONGEST_RUN and (words := _words(run.group())):
            rewriter.replace(run.start(), run.end(), by=words, kind=SPACED)
    return rewriter.result(), rewriter.layer


def _words(run: str) -> str:
    """Gives the words that the letters spell; empty when they spell none."""
    pieces = ["".join(c for c in piece if c.isalpha()).lower() for piece in _PIECES.split(run)]
    words = [word for piece in pieces if piece for word in _segment(piece)]
    letters = sum(map(len, words))
    known = [len(word) for word in words if len(word) >= 3 and word in ranks()]
    real = max(known, default=0) >= _REAL_WORD and sum(known) >= _COVERED * letters
    return " ".join(words) if real else ""


def _segment(letters: str) -> list[str]:
    """Gives the likeliest words that the letters are made of; each costs by how unusual it is."""
    known = ranks()
    if letters in known:
        return [letters]
    unknown = 2 * math.log(len(known))
    best: list[tuple[float, int]] = [(0.0, 0)]
    for end in range(1, len(letters) + 1):
        best.append(
            min(
                (best[begin][0] + _cost(letters[begin:end], known, unknown), begin)
                for begin in range(max(0, end - _LONGEST_WORD), end)
            )
        )
    words: list[str] = []
    end = len(letters)
    while end:
        begin = best[end][1]
        words.append(letters[begin:end])
        end = begin
    return words[::-1]


def _cost(word: str, known: dict[str, int], unknown: float) -> float:
    rank = known.get(word)
    return unknown * len(word) if rank is None else math.log(rank + 2) + 2.0
