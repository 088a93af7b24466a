"""What running pods say of themselves when they are asked again and again, and how that is asked and read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sentinel_operator.api.scanning import Progress
from sentinel_operator.core.analysis.subject import Subject
from sentinel_operator.core.swapreport import SwapReport, read_report

PodReport = SwapReport | Progress
Reader = Callable[[str], PodReport | None]
"""Makes of a pod's answer what it says; None where it says nothing that can be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """The pods that should be asked, where, how often and how their answers are read."""

    subject: Subject
    read: Reader
    path: str = "/metrics"
    every: float = 1.0
    """Seconds between two looks."""


def swaps_of(subject: Subject) -> Watching:
    """Asks pods into which a revision is swapped which ones they hold."""
    return Watching(subject=subject, read=read_report)
