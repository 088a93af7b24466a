"""A plan before the policies, and what it would change, recorded for people."""

from __future__ import annotations

from dataclasses import dataclass

from sentinel_operator.api.actionplan import Decision
from sentinel_operator.api.actionstatus import MAX_DIFF, Change
from sentinel_operator.core.actionplan.drive import intended, live_of
from sentinel_operator.core.actionplan.edits import ABSENT, as_text
from sentinel_operator.core.actionplan.facts import facts_of
from sentinel_operator.core.actionplan.intent import Intent, patch
from sentinel_operator.core.actionplan.observed import Observed
from sentinel_operator.core.actionplan.order import ordered
from sentinel_operator.core.actionplan.verbs.case import Refusal
from sentinel_operator.core.conditions import truncated
from sentinel_operator.core.plan import Rehearsal
from sentinel_operator.core.policy.plan import PlanJudgement, judge_plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What the decisions would do to the targets as they are now."""

    diff: tuple[Change, ...]
    rehearsals: tuple[Rehearsal, ...]
    refused: tuple[str, ...]


def judged(observed: Observed) -> PlanJudgement:
    """Judges all decisions, in the order in which they would be made; once a pass."""
    if observed.memory.verdict is None:
        cases = [facts_of(observed, each) for each in ordered(observed.plan.decisions)]
        observed.memory.verdict = judge_plan(observed.around.policies, cases)
    return observed.memory.verdict


def preview(observed: Observed) -> Preview:
    """Works out what would change. A decision that waits for another may only be possible after it."""
    diff, rehearsals, refused = list[Change](), list[Rehearsal](), list[str]()
    for decision in ordered(observed.plan.decisions):
        try:
            intents = intended(observed, decision)
        except Refusal as refusal:
            if not decision.depends_on:
                refused.append(f"{decision.id}: {refusal}")
            continue
        diff.extend(change for each in intents for change in _changes(decision, each))
        rehearsals.extend(_rehearsed(observed, decision, intents))
    return Preview(diff=tuple(diff[:MAX_DIFF]), rehearsals=tuple(rehearsals), refused=tuple(refused))


def _rehearsed(observed: Observed, decision: Decision, intents: tuple[Intent, ...]) -> list[Rehearsal]:
    found = [(each, live_of(observed, each)) for each in intents if each.edits]
    return [Rehearsal(decision.id, patch(each, live)) for each, live in found if live is not None]


def _changes(decision: Decision, intent: Intent) -> list[Change]:
    shown = [
        Change(
            decision=decision.id,
            object=truncated(str(intent.ref), 253),
            path=truncated(".".join(each.path), 253),
            before=truncated(as_text(each.before)),
            after=truncated(as_text(each.after)),
        )
        for each in intent.edits
        if each.before is not ABSENT or each.after is not ABSENT
    ]
    if intent.evict:
        shown.append(
            Change(
                decision=decision.id,
                object=truncated(str(intent.ref), 253),
                path="pods",
                before=f"{len(intent.evict)} there",
                after="moved away",
            )
        )
    return shown
