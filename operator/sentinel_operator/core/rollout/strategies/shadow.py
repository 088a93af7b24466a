"""Shadow: copies of requests first, answers compared and thrown away; then it takes over."""

from __future__ import annotations

from sentinel_operator.api.analysis import AnalysisSpec
from sentinel_operator.api.fields import seconds
from sentinel_operator.api.rollout import RolloutSpec
from sentinel_operator.core.rollout.instructions import Judge, Program, Reflect
from sentinel_operator.core.rollout.strategies.canary import takeover


def shadow(spec: RolloutSpec, *, full: bool) -> Program:
    """Gives the mirror, the comparison, and the takeover."""
    declared = spec.shadow
    steps = (Reflect(declared.percent), Judge(declared.analysis or AnalysisSpec(), seconds(declared.duration)))
    return Program((*steps, *takeover(full=full)), tail=len(steps))
