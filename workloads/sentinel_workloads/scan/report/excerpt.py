"""Shows foreign text for what it is: every character that hides or turns others around is written out by its number.

Whatever text goes into the page goes through here: nothing of it can be markup.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from html import escape
from itertools import groupby, pairwise

from sentinel_operator.api.scanning import ReasonLine

MAX_SPANS = 200
_HIDING = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
# Letters, by their category, that show nothing: fillers of Hangul, the blank of Braille.
_BLANK = {"\u115f", "\u1160", "\u2800", "\u3164", "\uffa0", "\u034f", "\u17b4", "\u17b5"}


@lru_cache(maxsize=4096)
def hides(char: str) -> bool:
    """Whether a character cannot be seen, or changes how others are seen: zero-width, bidi, tags, odd blanks."""
    if char in "\n\t ":
        return False
    category = unicodedata.category(char)
    if category in _HIDING or char in _BLANK or category == "Zs":
        return True
    return 0xFE00 <= ord(char) <= 0xFE0F or 0xE0100 <= ord(char) <= 0xE01EF  # variation selectors


def shown(text: str) -> str:
    """HTML of a text in which nothing is hidden and nothing is markup."""
    parts = []
    for char, run in groupby(text.replace("\r\n", "\n"), key=lambda char: char if hides(char) else ""):
        if not char:
            parts.append(escape("".join(run)))
            continue
        count = sum(1 for _ in run)
        parts.append(f"<i>U+{ord(char):04X}{f'×{count}' if count > 1 else ''}</i>")
    return "".join(parts)


def highlighted(excerpt: str, start: int, reasons: Sequence[ReasonLine]) -> str:
    """HTML of an excerpt with what the reasons point at marked; `start` is its first code point in the document."""
    return "".join(
        f'<mark title="{shown_plain(", ".join(attacks))}">{shown(text)}</mark>' if attacks else shown(text)
        for text, attacks in _pieces(excerpt, start, reasons)
    )


def shown_plain(text: str) -> str:
    """A text for an attribute: as `shown`, without elements."""
    return escape("".join(f"U+{ord(char):04X}" if hides(char) else char for char in text))


def hidden_in(text: str) -> Counter[str]:
    """Which characters of the text would not have been seen."""
    return Counter(char for char in text if hides(char))


def _pieces(excerpt: str, start: int, reasons: Sequence[ReasonLine]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The excerpt cut where any span begins or ends, each piece with the attacks whose spans cover it."""
    spans = [
        (max(0, span.start - start), min(len(excerpt), span.end - start), reason.attack)
        for reason in reasons
        for span in reason.spans
    ][:MAX_SPANS]
    spans = [span for span in spans if span[0] < span[1]]
    edges = sorted({0, len(excerpt), *(edge for begin, end, _ in spans for edge in (begin, end))})
    for begin, end in pairwise(edges):
        attacks = dict.fromkeys(attack for first, last, attack in spans if first <= begin and end <= last)
        yield excerpt[begin:end], tuple(attacks)


def plain(text: str) -> str:
    """A text for a terminal, on one line: nothing in it hides or commands."""
    return "".join(f"<U+{ord(char):04X}>" if hides(char) or char in "\n\t" else char for char in text)
