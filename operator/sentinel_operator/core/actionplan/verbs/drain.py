"""drain: no new pods on a node, and those that are there leave it as their budgets allow. Taken back, the node takes
pods again, if it did before."""

from __future__ import annotations

from sentinel_operator.core.actionplan.edits import edit
from sentinel_operator.core.actionplan.intent import Intent, of
from sentinel_operator.core.actionplan.pods import leaves
from sentinel_operator.core.actionplan.verbs.case import Case, VerbModule


def intents(case: Case) -> tuple[Intent, ...]:
    """Decides that the node takes no pods; which of them leave is seen when it does not."""
    return (of(case.live, [edit(case.live, ("spec", "unschedulable"), True)]),)


def waits_for(case: Case, _: tuple[Intent, ...]) -> str:
    """Waits until none is left that has to go."""
    left = [str(each["metadata"]["name"]) for each in case.view.pods if leaves(each)]
    return f"{len(left)} pods are left, {min(left)} among them" if left else ""


VERB = VerbModule(intents=intents, waits_for=waits_for)
