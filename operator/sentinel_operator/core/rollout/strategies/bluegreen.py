"""BlueGreen: a whole second set of pods, looked at through a preview Service, then one switch."""

from __future__ import annotations

from sentinel_operator.api.fields import seconds
from sentinel_operator.api.rollout import RolloutSpec
from sentinel_operator.core.rollout.instructions import (
    Hold,
    Instruction,
    Judge,
    Preview,
    Program,
    Scale,
    Settle,
    SetWeight,
)


def blue_green(spec: RolloutSpec, *, full: bool) -> Program:  # noqa: ARG001 - it is never less than full
    """Gives preview, analysis, a person's word where it is wanted, the switch, analysis again, and the delay."""
    declared = spec.blue_green
    before: list[Instruction] = [Scale(percent=100), Preview()]
    if not declared.auto_promote:
        before.append(Hold())
    if declared.pre_promotion_analysis is not None:
        before.insert(2, Judge(declared.pre_promotion_analysis))
    after: list[Instruction] = [SetWeight(100)]
    if declared.post_promotion_analysis is not None:
        after.append(Judge(declared.post_promotion_analysis))
    return Program((*before, *after, Settle(seconds(declared.scale_down_delay))), tail=len(before))
