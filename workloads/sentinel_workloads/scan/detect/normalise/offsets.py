"""Texts that were rewritten, and from where in the original each part of them comes, exactly."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator


class Layer:
    """The replacements of one pass over a text, in order; what lies between them is as it was.

    Sixteen bytes and a kind a replacement: a text of ten megabytes of hidden characters stays far below its limit.
    """

    __slots__ = ("_after_end", "_after_start", "_before_end", "_before_start", "_kinds", "_names")

    def __init__(self) -> None:
        self._before_start, self._before_end = array("I"), array("I")
        self._after_start, self._after_end = array("I"), array("I")
        self._kinds = array("B")
        self._names: list[str] = []

    def __len__(self) -> int:
        return len(self._kinds)

    def add(self, before: tuple[int, int], after: tuple[int, int], kind: str) -> None:
        """Says that `before` became `after`. A kind names a disguise; none is mere tidying."""
        if kind not in self._names:
            self._names.append(kind)
        self._before_start.append(before[0])
        self._before_end.append(before[1])
        self._after_start.append(after[0])
        self._after_end.append(after[1])
        self._kinds.append(self._names.index(kind))

    def before(self, start: int, end: int) -> tuple[int, int]:
        """Gives what [start, end) was before this pass."""
        if start >= end:
            where = self._begin(start)
            return where, where
        return self._begin(start), self._begin(end - 1, end=True)

    def _begin(self, position: int, *, end: bool = False) -> int:
        index = bisect_right(self._after_start, position) - 1
        if index < 0:
            return position + end
        if position >= self._after_end[index]:
            return position - self._after_end[index] + self._before_end[index] + end
        start, stop = self._before_start[index], self._before_end[index]
        if stop - start == self._after_end[index] - self._after_start[index]:
            return start + position - self._after_start[index] + end
        return stop if end else start

    def kinds(self, start: int, end: int) -> Iterator[str]:
        """Gives the disguises that were taken off within [start, end) of this pass's result."""
        index = max(0, bisect_left(self._after_start, start) - 1)
        seen = set()
        while index < len(self._kinds) and self._after_start[index] < end:
            # A removal leaves nothing: it counts where it lay inside, not at the edge.
            inside = self._after_end[index] > start or self._after_start[index] > start
            if inside and self._kinds[index] not in seen:
                seen.add(self._kinds[index])
                yield self._names[self._kinds[index]]
            index += 1

    def counts(self) -> dict[str, int]:
        """Gives how many replacements there were of each disguise."""
        return {name: self._kinds.count(index) for index, name in enumerate(self._names) if name}


class Rewriter:
    """Makes a text and its layer from replacements given in order."""

    __slots__ = ("_at", "_length", "_pieces", "_text", "layer")

    def __init__(self, text: str) -> None:
        self._text, self._at, self._length = text, 0, 0
        self._pieces: list[str] = []
        self.layer = Layer()

    def replace(self, start: int, end: int, *, by: str, kind: str = "") -> None:
        """Puts `by` in the place of [start, end) of the given text."""
        if start > self._at:
            self._pieces.append(self._text[self._at : start])
            self._length += start - self._at
        self._pieces.append(by)
        self.layer.add((start, end), (self._length, self._length + len(by)), kind)
        self._length += len(by)
        self._at = end

    def result(self) -> str:
        """Gives the text with everything replaced."""
        if not self.layer:
            return self._text
        return "".join([*self._pieces, self._text[self._at :]])
