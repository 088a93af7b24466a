"""From evidence to a risk between 0 and 1.

Rules of one class of attack say much the same, so a class weighs what its heaviest rule does. Classes are taken as
independent: each leaves the share 1 - weight of what spoke for the text (noisy-or). Three classes together are
evidence of their own, `composite`.
"""

from __future__ import annotations

from collections.abc import Sequence

from sentinel_workloads.scan.detect.finding import Reason

COMPOSITE = "composite"
COMPOSITE_WEIGHT = 0.3
COMPOSITE_CLASSES = 3


def composite(reasons: Sequence[Reason]) -> tuple[Reason, ...]:
    """Gives the reason that several classes of attack together are, or none."""
    attacks = sorted({reason.attack for reason in reasons})
    if len(attacks) < COMPOSITE_CLASSES:
        return ()
    message = f"Several kinds of attack at once: {', '.join(attacks)}."
    return (Reason(rule="composite.several", attack=COMPOSITE, weight=COMPOSITE_WEIGHT, message=message),)


def heuristic(reasons: Sequence[Reason]) -> float:
    """Gives the noisy-or of the classes' weights."""
    heaviest: dict[str, float] = {}
    for reason in reasons:
        heaviest[reason.attack] = max(reason.weight, heaviest.get(reason.attack, 0.0))
    left = 1.0
    for attack in sorted(heaviest):
        left *= 1.0 - heaviest[attack]
    return round(1.0 - left, 6)


def combine(weight: float, probability: float | None) -> float:
    """Gives the risk, 0 to 1, from what the rules and the classifier say each: the graver of both.

    The classifier has the rules among its features and is calibrated with them; what it has not learnt (hidden text,
    markers, markup) the rules alone still say.
    """
    return weight if probability is None else max(weight, probability)
