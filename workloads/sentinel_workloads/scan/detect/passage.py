"""A document cut into passages of bounded size, normalised one after another, so that memory does not grow with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from sentinel_workloads.scan.detect.finding import Span
from sentinel_workloads.scan.detect.normalise import Normalised, normalise

LONGEST = 65_536
"""Code points of the original text in a passage."""
OVERLAP = 512
"""Code points of the passage before that are looked at again, so that nothing is missed where the text was cut."""
_SEARCH = 2_048
"""Where the text is cut: at a line's end if there is one so near, else at a space, else anywhere."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Normalised text: the end of the passage before, then this passage; with the way back to the document.

    `original` is this passage as it stands in the document.
    """

    text: str
    own: int
    """Where this passage begins in `text`."""
    original: str
    normalised: Normalised
    _parts: tuple[tuple[int, int, Normalised], ...]
    """Of each part: where it begins in `text` (below 0 when only its end is in it), and in the document."""

    def span(self, start: int, end: int) -> Span:
        """Gives where [start, end) of the text is in the document."""
        return Span(self._origin(start, start + 1)[0], self._origin(max(start, end - 1), end)[1])

    def decoded(self, start: int, end: int) -> str:
        """Names what [start, end) was hidden by."""
        begin, _, normalised = self._part(end - 1)
        return normalised.decoded(max(0, start - begin), end - begin)

    def _origin(self, start: int, end: int) -> tuple[int, int]:
        begin, offset, normalised = self._part(start)
        first, last = normalised.origin(start - begin, end - begin)
        return first + offset, last + offset

    def _part(self, position: int) -> tuple[int, int, Normalised]:
        later = len(self._parts) > 1 and position >= self.own
        return self._parts[-1] if later else self._parts[0]


def passages(text: str) -> Iterator[Passage]:
    """Gives the passages of a document; at most two normalised ones are alive at a time."""
    before: tuple[int, Normalised] | None = None
    for start, end in pairwise(_cuts(text)):
        original = text[start:end]
        normalised = normalise(original)
        if before is None:
            yield Passage(normalised.text, 0, original, normalised, ((0, start, normalised),))
        else:
            offset, last = before
            tail = last.text[-OVERLAP:]
            parts = ((len(tail) - len(last.text), offset, last), (len(tail), start, normalised))
            yield Passage(tail + normalised.text, len(tail), original, normalised, parts)
        before = (start, normalised)


def _cuts(text: str) -> list[int]:
    cuts = [0]
    while len(text) - cuts[-1] > LONGEST:
        limit = cuts[-1] + LONGEST
        near = limit - _SEARCH
        line = text.rfind("\n", near, limit)
        space = line if line >= 0 else text.rfind(" ", near, limit)
        cuts.append(space + 1 if space >= 0 else limit)
    return [*cuts, len(text)]
