"""Finds which rules a passage fulfils, and where: one run over the text for all patterns, one for each that hit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

import re2  # type: ignore[import-untyped]

from sentinel_workloads.scan.detect.errors import DetectorError
from sentinel_workloads.scan.detect.finding import Reason, Span
from sentinel_workloads.scan.detect.measures import MEASURES
from sentinel_workloads.scan.detect.passage import Passage
from sentinel_workloads.scan.detect.rulebook import Rule, Rulebook, options

MOST_SPANS = 8
"""Places that a reason names at most."""


@dataclass(slots=True)
class Evidence:
    """What was found for one rule so far."""

    spans: list[Span] = field(default_factory=list)
    decoded: str = ""

    def add(self, span: Span | None, decoded: str) -> None:
        """Keeps the span, unless there are enough or it is known."""
        if not self.decoded:
            self.decoded = decoded
        if span is not None and span not in self.spans and len(self.spans) < MOST_SPANS:
            self.spans.append(span)


class Matcher:
    """All rules, compiled. Keeps nothing of a text, so threads may share it."""

    __slots__ = ("_measured", "_patterns", "_set")

    def __init__(self, book: Rulebook) -> None:
        self._set = re2.Set.SearchSet(options())
        self._patterns = []
        for rule in (rule for rule in book.rules if rule.pattern):
            try:
                self._patterns.append((rule, re2.compile(rule.pattern, options())))
                self._set.Add(rule.pattern)
            except re2.error as error:
                raise DetectorError("rules", f"{rule.id}: {error}") from None
        self._set.Compile()
        self._measured = []
        for rule in (rule for rule in book.rules if rule.measure):
            if rule.measure not in MEASURES:
                raise DetectorError("rules", f"{rule.id}: there is no measure {rule.measure}")
            self._measured.append((rule, MEASURES[rule.measure]))

    def match(self, passage: Passage, found: dict[str, Evidence]) -> None:
        """Adds what the passage holds to what was found before, by rule."""
        for rule, start, end in self._places(passage):
            evidence = found.setdefault(rule.id, Evidence())
            if start == end:
                evidence.add(None, "")
            else:
                evidence.add(passage.span(start, end), passage.decoded(start, end))

    def _places(self, passage: Passage) -> Iterator[tuple[Rule, int, int]]:
        for index in sorted(self._set.Match(passage.text) or ()):
            rule, pattern = self._patterns[index]
            for hit in islice(pattern.finditer(passage.text), MOST_SPANS):
                yield rule, hit.start(), hit.end()
        for rule, measure in self._measured:
            for start, end in measure(passage, rule.parameters) or ():
                yield rule, start, end


def reasons(book: Rulebook, found: dict[str, Evidence]) -> tuple[Reason, ...]:
    """Gives the evidence as reasons, the heaviest first."""
    named = [
        Reason(
            rule=rule.id,
            attack=rule.attack,
            weight=rule.weight,
            message=rule.message,
            spans=tuple(sorted(found[rule.id].spans, key=lambda span: (span.start, span.end))),
            decoded=found[rule.id].decoded,
        )
        for rule in book.rules
        if rule.id in found
    ]
    return tuple(sorted(named, key=lambda reason: (-reason.weight, reason.rule)))
