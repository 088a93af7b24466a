"""How far a rollout may leave the wanted number of pods."""

from __future__ import annotations

from sentinel_operator.core.rollout.arithmetic import Bounds, bounds
from sentinel_operator.core.rollout.observed import Observed
from sentinel_operator.core.rollout.program import ROLLING_SURGE, surge


def limits(observed: Observed) -> Bounds:
    """Gives surge and unavailability, in pods, of replacing pods one by one."""
    spec = observed.spec
    allowed = spec.max_surge if spec.max_surge is not None else ROLLING_SURGE
    return bounds(allowed, spec.max_unavailable, wanted=observed.count)


def beyond(observed: Observed) -> int:
    """Gives how many pods the candidate may have beside all of stable's."""
    return max(1, surge(observed.spec, observed.state.strategy, wanted=observed.count))


def least(observed: Observed) -> int:
    """Gives the serving pods below which replacing pods one by one must not take them."""
    return max(0, observed.count - limits(observed).unavailable)
