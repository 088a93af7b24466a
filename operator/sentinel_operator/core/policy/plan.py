"""A whole plan before the policies: each decision is judged as if those before it had been made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sentinel_operator.api.actionstatus import MAX_TRACE, Effect, TraceEntry
from sentinel_operator.core.policy.effects import strictest
from sentinel_operator.core.policy.facts import Begun, Facts, Scope
from sentinel_operator.core.policy.judge import Entry, judge_ordered
from sentinel_operator.core.policy.policy import Policy, ordered
from sentinel_operator.core.policy.rates import scopes
from sentinel_operator.core.targets import TargetKey


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanJudgement:
    """What the policies make of a plan: the strictest of what they make of its decisions."""

    effect: Effect
    trace: tuple[Entry, ...]
    reason: str = ""
    """What decided, in words."""
    decided_by: str = ""
    """The same without the words: which rule on which decision."""

    def recorded(self) -> list[TraceEntry]:
        """Writes the trace into the status: what was violated before what was not, as far as there is room."""
        return [each.recorded() for each in told(self.trace)]


def judge_plan(policies: Iterable[Policy], cases: Sequence[Facts]) -> PlanJudgement:
    """Judges the decisions of a plan, given in the order in which they would be made."""
    known, before = ordered(policies), list[TargetKey]()
    trace, effects, reason, decided_by = list[Entry](), list[Effect](), "", ""
    for facts in cases:
        here = TargetKey(facts.decision.target.kind, facts.namespace, facts.decision.target.name)
        judged = judge_ordered(known, _after(facts, here, before))
        before.append(here)
        trace.extend(judged.trace)
        if judged.deciding is not None and strictest((judged.effect, *effects)) not in effects:
            entry = judged.deciding
            decided_by = f"{entry.decision}: {entry.policy} ({entry.rule})"
            reason = f"{decided_by}: {entry.message}"
        effects.append(judged.effect)
    return PlanJudgement(effect=strictest(effects), trace=tuple(trace), reason=reason, decided_by=decided_by)


def told(trace: Sequence[Entry]) -> tuple[Entry, ...]:
    """Gives what of a trace can be kept: what was violated before what was not, in the order of judging."""
    if len(trace) <= MAX_TRACE:
        return tuple(trace)
    ranked = sorted(range(len(trace)), key=lambda index: (trace[index].verdict != "Violated", index))
    return tuple(trace[index] for index in sorted(ranked[:MAX_TRACE]))


def _after(facts: Facts, here: TargetKey, before: Sequence[TargetKey]) -> Facts:
    counts: dict[Scope, int] = {}
    for target in before:
        for scope in scopes(target, here):
            counts[scope] = counts.get(scope, 0) + 1
    if not counts:
        return facts
    known = {scope: facts.begun.get(scope, Begun()) for scope in counts}
    begun = {scope: Begun(known[scope].minute + more, known[scope].hour + more) for scope, more in counts.items()}
    return replace(
        facts,
        begun={**facts.begun, **begun},
        begun_in_own_window=facts.begun_in_own_window + counts.get("Workload", 0),
    )
