"""Characters folded to those they look like: NFKC, accents, lookalikes, invisible ones; each with the disguise it was.

Lookalikes of living scripts are folded in words only where they are out of place: mixed with Latin letters, or in a
text that is otherwise not in their script. Genuine Russian or Greek stays as it is.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from importlib.resources import files
from itertools import groupby

from sentinel_workloads.scan.detect.normalise.offsets import Layer, Rewriter

INVISIBLE, BIDI, CONTROL, TAGS, MARKS = "zero-width", "bidi", "control", "unicode-tags", "combining-marks"
FULL_WIDTH, MATHEMATICAL, COMPATIBILITY, HOMOGLYPH = "full-width", "math-alphanumeric", "compatibility", "homoglyph"

_MARKS_OF_DIRECTION = frozenset("\u061c\u200e\u200f")
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\u00ad")
_TYPOGRAPHY = str.maketrans(
    {"‘": "'", "’": "'", "‚": ",", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"'}
    | {"–": "-", "—": "-", "−": "-", "‐": "-", "‑": "-", "…": "...", "×": "x", "·": "·", "•": "•"}
)
_LIVING = ("CYRILLIC", "GREEK", "ARMENIAN", "COPTIC", "CHEROKEE", "GEORGIAN")
_LOOK_AT = re.compile(r"[^\n\r\t -~]+")
_FOREIGN_WORD = re.compile(r"[^\W\d_]*[^\W\d_a-zA-Z][^\W\d_]*")
_EXTENDED_LATIN = 0x180
"""Below are the letters of European languages, such as ł and ø."""
_FOREIGN_SHARE = 0.1
"""Words that can only be in another script, as a share of such words, from which on the text is in that script."""


@cache
def lookalikes() -> dict[str, str]:
    """Gives the ASCII character that each lookalike looks like."""
    table = files(__package__).joinpath("confusables.txt").read_text(encoding="utf-8")
    pairs = (line.split("\t") for line in table.splitlines() if not line.startswith("# "))
    return {character: target for target, characters in pairs for character in characters}


def fold(text: str) -> tuple[str, tuple[Layer, ...]]:
    """Gives the text in plain characters, and the layers that lead back."""
    if text.isascii() and not _LOOK_AT.search(text):
        return text, ()
    plain, first = _fold_each(text)
    if plain.isascii():
        return plain, (first,)
    latin, second = _fold_words(plain)
    return latin, (first, second)


def fold_pattern(text: str) -> str:
    """Gives the text as `fold` leaves it where it is in its own script: patterns are written in any."""
    return "".join(_folded(character)[0] for character in text)


def _fold_each(text: str) -> tuple[str, Layer]:
    rewriter = Rewriter(text)
    for run in _LOOK_AT.finditer(text):
        position = run.start()
        for (kind, length), group in groupby(run.group(), key=_group):
            characters = list(group)
            # One to one, positions within stay exact however long; otherwise each character for itself.
            size = len(characters) if length == 1 else 1
            for begin in range(0, len(characters), size):
                part = characters[begin : begin + size]
                folded = "".join(_folded(character)[0] for character in part)
                if kind or folded != "".join(part):
                    rewriter.replace(position, position + len(part), by=folded, kind=kind)
                position += len(part)
    return rewriter.result(), rewriter.layer


def _fold_words(text: str) -> tuple[str, Layer]:
    rewriter, table = Rewriter(text), lookalikes()
    words = [(word.start(), word.end()) for word in _FOREIGN_WORD.finditer(text)]
    foreign = sum(any(not c.isascii() and c not in table for c in text[start:end]) for start, end in words)
    native = foreign > _FOREIGN_SHARE * len(words)
    for start, end in words:
        word = text[start:end]
        if any(not c.isascii() and c not in table for c in word):
            continue
        if native and not any(c.isascii() for c in word):
            continue
        rewriter.replace(start, end, by="".join(table.get(c, c) for c in word), kind=HOMOGLYPH)
    return rewriter.result(), rewriter.layer


def _group(character: str) -> tuple[str, int]:
    folded, kind = _folded(character)
    return kind, len(folded)


@cache
def _folded(character: str) -> tuple[str, str]:
    """Gives what a character becomes whatever stands around it, and the disguise that this takes off."""
    if character.isascii():
        return ("", CONTROL) if character < " " and character not in "\n\r\t\f\v" else (character, "")
    if hidden := _invisible(character):
        return hidden
    typographic = character.translate(_TYPOGRAPHY)
    if typographic != character:
        return typographic, ""
    apart = unicodedata.normalize("NFKD", character)
    if any(_is_mark(c) for c in apart):
        plain = "".join(c for c in apart if not _is_mark(c))
        return plain, "" if plain else MARKS
    folded = unicodedata.normalize("NFKC", character)
    if folded != character:
        return folded, _compatibility(character, folded)
    target = lookalikes().get(character)
    if target is None or unicodedata.name(character, "").split(" ")[0] in _LIVING:
        return character, ""
    usual = not target.isalnum() or ord(character) < _EXTENDED_LATIN
    return target, "" if usual else HOMOGLYPH


def _invisible(character: str) -> tuple[str, str] | None:
    code = ord(character)
    if 0xE0020 <= code <= 0xE007E:
        return chr(code - 0xE0000), TAGS
    if 0xE0000 <= code <= 0xE007F:
        return "", TAGS
    if character in _BIDI:
        return "", BIDI
    if character in _MARKS_OF_DIRECTION:
        return "", ""
    category = unicodedata.category(character)
    if 0xFE00 <= code <= 0xFE0F or 0x180B <= code <= 0x180F or 0xE0100 <= code <= 0xE01EF:
        return "", INVISIBLE
    if category == "Cf" or character in _BLANK:
        return "", INVISIBLE
    if category == "Cc":
        return (" ", "") if code == 0x85 else ("", CONTROL)
    return None


def _is_mark(character: str) -> bool:
    code = ord(character)
    return (
        0x300 <= code <= 0x36F
        or 0x1AB0 <= code <= 0x1AFF
        or 0x1DC0 <= code <= 0x1DFF
        or 0x20D0 <= code <= 0x20FF
        or 0xFE20 <= code <= 0xFE2F
    )


def _compatibility(character: str, folded: str) -> str:
    code = ord(character)
    if not any(c.isalnum() and c.isascii() for c in folded) or code < 0x100:
        return ""
    if 0xFF00 <= code <= 0xFFEF:
        return FULL_WIDTH
    return MATHEMATICAL if 0x1D400 <= code <= 0x1D7FF or 0x2100 <= code <= 0x214F else COMPATIBILITY
