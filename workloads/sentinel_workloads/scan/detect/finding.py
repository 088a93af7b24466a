"""What a detector says of a document."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """Code points [start, end) of the original text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One piece of evidence; `decoded` names what hid it, for example base64, outermost first and joined by +."""

    rule: str
    attack: str
    weight: float
    message: str
    spans: tuple[Span, ...] = ()
    decoded: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The risk of a document, 0 to 100, and what it rests on; the heaviest reason comes first.

    `heuristic` is what the rules alone say and `embedding` what the classifier alone says, both 0 to 1. `fingerprint`
    is the SHA-256, in hex, of the normalised text.
    """

    risk: int
    reasons: tuple[Reason, ...]
    heuristic: float
    embedding: float | None
    fingerprint: str
