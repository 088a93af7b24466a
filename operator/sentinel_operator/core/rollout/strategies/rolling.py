"""RollingUpdate, Recreate, and the first revision of all: pods are replaced, nothing is analysed."""

from __future__ import annotations

from sentinel_operator.api.rollout import RolloutSpec
from sentinel_operator.core.rollout.instructions import Fill, Program, Replace, Roll


def rolling_update(spec: RolloutSpec, *, full: bool) -> Program:  # noqa: ARG001 - one signature for all strategies
    """Gives the replacement pod by pod."""
    return Program((Roll(),), tail=0)


def recreate(spec: RolloutSpec, *, full: bool) -> Program:  # noqa: ARG001
    """Gives the end of the old pods before the start of the new."""
    return Program((Replace(),), tail=0)


def initial(spec: RolloutSpec, *, full: bool) -> Program:  # noqa: ARG001
    """Gives the first pods."""
    return Program((Fill(),), tail=0)
