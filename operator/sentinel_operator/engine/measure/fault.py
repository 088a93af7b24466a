"""Why something could not be measured. It is told to people and never held against a revision."""

from __future__ import annotations


class CannotMeasure(Exception):  # noqa: N818 - not a failure of ours
    """Nobody can tell: the provider is down, slow, or talks nonsense."""


def quoted(text: object, limit: int = 120) -> str:
    """Gives somebody else's words on one line and within bounds."""
    words = " ".join(str(text).split())
    return words if len(words) <= limit else f"{words[: limit - 1]}…"
