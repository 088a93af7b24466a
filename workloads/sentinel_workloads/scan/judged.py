"""What a detector says of a text, as the pipeline passes it on, and what it asks of a detector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sentinel_operator.api.scanning import ReasonLine, SpanLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The detector's word on a text; no threshold is in it."""

    risk: int
    heuristic: float
    embedding: float | None
    fingerprint: str
    reasons: tuple[ReasonLine, ...] = ()


class _Span(Protocol):
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


class _Reason(Protocol):
    @property
    def rule(self) -> str: ...
    @property
    def attack(self) -> str: ...
    @property
    def weight(self) -> float: ...
    @property
    def message(self) -> str: ...
    @property
    def spans(self) -> Sequence[_Span]: ...
    @property
    def decoded(self) -> str: ...


class _Judgement(Protocol):
    @property
    def risk(self) -> int: ...
    @property
    def reasons(self) -> Sequence[_Reason]: ...
    @property
    def heuristic(self) -> float: ...
    @property
    def embedding(self) -> float | None: ...
    @property
    def fingerprint(self) -> str: ...


class Detects(Protocol):
    """A detector, as a shard needs it. May be called from several threads."""

    @property
    def digest(self) -> str:
        """Of everything that its judgements depend on."""
        ...

    def describe(self) -> dict[str, Any]:
        """What the judgements rest on."""
        ...

    def judge(self, text: str) -> _Judgement:
        """The same for the same text, always."""
        ...


def judged(found: _Judgement) -> Judged:
    """The judgement in the contract's terms."""
    return Judged(
        risk=found.risk,
        heuristic=found.heuristic,
        embedding=found.embedding,
        fingerprint=found.fingerprint,
        reasons=tuple(_reason(reason) for reason in found.reasons),
    )


def _reason(reason: _Reason) -> ReasonLine:
    return ReasonLine(
        rule=reason.rule,
        attack=reason.attack,
        weight=reason.weight,
        message=reason.message,
        spans=tuple(SpanLine(start=span.start, end=span.end) for span in reason.spans),
        decoded=reason.decoded,
    )
