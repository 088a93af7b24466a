"""Which part of a document looks most like an attack to the encoder and the trained head, and how likely it is one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from heapq import heappush, heappushpop
from pathlib import Path
from typing import Any, Self

from sentinel_workloads.scan.detect.embedding import Encoder
from sentinel_workloads.scan.detect.finding import Reason, Span
from sentinel_workloads.scan.detect.head import Head
from sentinel_workloads.scan.detect.passage import Passage
from sentinel_workloads.scan.detect.windows import windows

MOST_WINDOWS = 4
"""Windows of a document that the encoder reads: those whose words look most like an attack."""
PARAPHRASE = "paraphrase"
RULE = "classifier.window"
_BY_ACCIDENT = 1.75
"""By how much the logit of the worst window falls for each e-fold of windows: 1 if they were independent and an attack
in any of them as likely beforehand; more, as the worst of many is the one that the head errs on."""
_COUNTED = 10
"""Windows that count for this at most: in a long document an attack is no less of one."""
_NAMED = 0.5
"""Probability from which on the window is a reason."""


@dataclass(frozen=True, slots=True)
class Window:
    """A window and how much its words alone speak for an attack; the earlier one comes first among equals."""

    lexical: float
    order: int
    text: str
    span: Span
    decoded: str

    def __lt__(self, other: Window) -> bool:
        return (self.lexical, -self.order) < (other.lexical, -other.order)


@dataclass(frozen=True, slots=True)
class Likelihood:
    """The probability of an attack, and the window that it rests on, if the document has any."""

    probability: float
    window: Window | None

    def reasons(self) -> tuple[Reason, ...]:
        """Gives the window as a reason when it is more likely an attack than not."""
        if self.window is None or self.probability < _NAMED:
            return ()
        message = "Means much the same as known attacks."
        found = Reason(
            rule=RULE,
            attack=PARAPHRASE,
            weight=self.probability,
            message=message,
            spans=(self.window.span,),
            decoded=self.window.decoded,
        )
        return (found,)


class Choice:
    """The windows of one document that are worth reading; bounded however long it is."""

    __slots__ = ("_best", "_head", "count")

    def __init__(self, head: Head) -> None:
        self._head = head
        self._best: list[Window] = []
        self.count = 0

    def add(self, passage: Passage) -> None:
        """Takes the windows of the next passage."""
        for start, end in windows(passage.text[passage.own :]):
            begin, stop = passage.own + start, passage.own + end
            text = passage.text[begin:stop]
            lexical = self._head.lexical(text)
            window = Window(lexical, self.count, text, passage.span(begin, stop), passage.decoded(begin, stop))
            self.count += 1
            if len(self._best) < MOST_WINDOWS:
                heappush(self._best, window)
            else:
                heappushpop(self._best, window)

    def windows(self) -> tuple[Window, ...]:
        """Gives the windows to read, in order."""
        return tuple(sorted(self._best, key=lambda window: window.order))


class Classifier:
    """Encoder and head. Threads may share it."""

    __slots__ = ("_encoder", "_head")

    def __init__(self, encoder: Encoder, head: Head) -> None:
        self._encoder, self._head = encoder, head

    @classmethod
    def open(cls, *, embedding: Path, classifier: Path, threads: int) -> Self:
        """Opens both; raises DetectorError naming the one that cannot be used."""
        encoder = Encoder.open(embedding, threads=threads)
        return cls(encoder, Head.open(classifier, width=encoder.width))

    def describe(self) -> dict[str, Any]:
        """Gives name, version and digests of both models."""
        return {"embedding": self._encoder.describe, "classifier": self._head.describe}

    def choice(self) -> Choice:
        """Gives an empty choice for the next document."""
        return Choice(self._head)

    def likelihood(self, choice: Choice, evidence: Mapping[str, float]) -> Likelihood:
        """Gives how likely the worst window is an attack, the rules' evidence on the document taken in."""
        worst: tuple[float, Window] | None = None
        windows = choice.windows()
        # The more windows there are, the likelier one of them looks like an attack by accident.
        rarer = _BY_ACCIDENT * math.log(min(choice.count, _COUNTED)) if windows else 0.0
        for window in windows:
            logit = self._head.logit(window.lexical, self._encoder.embed(window.text), evidence)
            if worst is None or logit > worst[0]:
                worst = (logit, window)
        if worst is None:
            return Likelihood(0.0, None)
        return Likelihood(self._head.probability(worst[0] - rarer), worst[1])
