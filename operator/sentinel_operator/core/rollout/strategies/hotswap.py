"""HotSwap: no new pod; the candidate is loaded beside the current model, compared, and flipped to."""

from __future__ import annotations

from sentinel_operator.api.fields import seconds
from sentinel_operator.api.rollout import RolloutSpec
from sentinel_operator.core.rollout.instructions import Flip, Instruction, Judge, Load, Program, Settle


def hot_swap(spec: RolloutSpec, *, full: bool) -> Program:  # noqa: ARG001 - it needs no room
    """Gives load and comparison, the flip, analysis, and the time for an instant return."""
    declared = spec.hot_swap
    after: tuple[Instruction, ...] = (Judge(declared.analysis),) if declared.analysis is not None else ()
    return Program((Load(declared.replay), Flip(), *after, Settle(seconds(declared.keep_for))), tail=1)
