"""Canary: a growing share of the requests, while stable keeps all of its pods."""

from __future__ import annotations

from sentinel_operator.api.analysis import AnalysisSpec
from sentinel_operator.api.fields import seconds
from sentinel_operator.api.rollout import DEFAULT_STEP_SECONDS, DEFAULT_WEIGHTS, CanaryStep, RolloutSpec
from sentinel_operator.core.rollout.instructions import (
    Ask,
    Hold,
    Instruction,
    Judge,
    Program,
    Roll,
    Scale,
    Settle,
    SetWeight,
)

DRAIN_SECONDS = 5.0
"""Requests that began on a revision end on it; its pods also wait for theirs when they are told to end."""


def canary(spec: RolloutSpec, *, full: bool) -> Program:
    """Gives the steps declared, or 10, 50 and 100 percent with an analysis at each."""
    declared = spec.canary.steps
    steps = tuple(_step(step) for step in declared) if declared else _default(spec.canary.analysis or AnalysisSpec())
    return Program((*steps, *takeover(full=full)), tail=len(steps))


def takeover(*, full: bool) -> tuple[Instruction, ...]:
    """Gives the end of the way: a switch where there is room for all of the candidate's pods, else one by one."""
    return (SetWeight(100), Settle(DRAIN_SECONDS)) if full else (Roll(),)


def _default(analysis: AnalysisSpec) -> tuple[Instruction, ...]:
    return tuple(
        step for weight in DEFAULT_WEIGHTS for step in (SetWeight(weight), Judge(analysis, DEFAULT_STEP_SECONDS))
    )


def _step(step: CanaryStep) -> Instruction:
    if step.set_weight is not None:
        return SetWeight(step.set_weight)
    if step.pause is not None:
        return Hold(None if step.pause.duration is None else seconds(step.pause.duration))
    if step.set_scale is not None:
        return Scale(step.set_scale.replicas, step.set_scale.percent)
    if step.gate is not None:
        return Ask(step.gate)
    return Judge(step.analysis or AnalysisSpec())
