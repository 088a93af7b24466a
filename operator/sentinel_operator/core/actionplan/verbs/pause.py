"""pause: keeps a rollout where it is."""

from __future__ import annotations

from sentinel_operator.core.actionplan.edits import edit
from sentinel_operator.core.actionplan.intent import Intent, of
from sentinel_operator.core.actionplan.verbs.case import Case, VerbModule
from sentinel_operator.core.actionplan.verbs.delivery import candidate_of, ordered_to
from sentinel_operator.core.actionplan.view import is_current


def intents(case: Case) -> tuple[Intent, ...]:
    """Decides what is kept: the revision under way, or whatever template a Deployment is about to roll out."""
    live = case.live
    if case.decision.target.kind == "Deployment":
        return (of(live, [edit(live, ("spec", "paused"), True)]),)
    return (of(live, ordered_to(live, "paused", candidate_of(case))),)


def waits_for(case: Case, _: tuple[Intent, ...]) -> str:
    """Waits until whoever rolls out has seen it."""
    return "" if is_current(case.live) else "its controller has not seen the order yet"


VERB = VerbModule(intents=intents, waits_for=waits_for)
