"""Which service levels a plan is judged by, as far as nobody has looked yet."""

from __future__ import annotations

from sentinel_operator.core.actionplan.facts import facts_of
from sentinel_operator.core.actionplan.observed import Observed
from sentinel_operator.core.levels.asked import asked_about, asking
from sentinel_operator.core.levels.measured import Level
from sentinel_operator.core.plan import LevelsWanted
from sentinel_operator.core.targets import TargetKey


def unmeasured(observed: Observed) -> tuple[LevelsWanted, ...]:
    """Gives what the policies ask of the plan's targets; nothing where none of them asks, or it was looked at."""
    if not asking(observed.around.policies):
        return ()
    wanted: dict[TargetKey, frozenset[Level]] = {}
    for decision in observed.plan.decisions:
        key, view = observed.key(decision), observed.view(decision)
        if view.raw is None or view.telemetry is not None or key.kind == "Node":
            continue
        levels = asked_about(observed.around.policies, facts_of(observed, decision))
        if levels:
            wanted[key] = wanted.get(key, frozenset()) | levels
    return tuple(LevelsWanted(key, levels) for key, levels in sorted(wanted.items()))
