"""What the classifier sees of a window: its words, its embedding, and what the rules say; in training as in use."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

from sentinel_workloads.scan.detect.finding import Reason

_WORD = re.compile(r"[^\W_]+")


def words(text: str) -> tuple[str, ...]:
    """Gives the window's words, each once, in order."""
    return tuple(dict.fromkeys(_WORD.findall(text)))


def word_weight(count: int) -> float:
    """Gives what each of so many words counts: a window's words have length one together."""
    return 1.0 / math.sqrt(count) if count else 0.0


def evidence(reasons: Iterable[Reason]) -> Mapping[str, float]:
    """Gives the heaviest weight of each class of attack."""
    found: dict[str, float] = {}
    for reason in reasons:
        found[reason.attack] = max(reason.weight, found.get(reason.attack, 0.0))
    return found
