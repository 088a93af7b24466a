"""abort: returns all requests to what served before the rollout."""

from __future__ import annotations

from sentinel_operator.core.actionplan.intent import Intent, of
from sentinel_operator.core.actionplan.verbs.case import Case, VerbModule
from sentinel_operator.core.actionplan.verbs.delivery import candidate_of, ordered_to, rollout_of
from sentinel_operator.core.actionplan.view import is_current


def intents(case: Case) -> tuple[Intent, ...]:
    """Decides the revision that is given up."""
    return (of(case.live, ordered_to(case.live, "abort", candidate_of(case))),)


def waits_for(case: Case, _: tuple[Intent, ...]) -> str:
    """Waits until the revision is no more on its way."""
    live = case.live
    revision = ((live.get("spec") or {}).get("rollout") or {}).get("abort")
    if not is_current(live):
        return "the operator has not seen the order yet"
    return f"revision {revision} is being taken back" if rollout_of(live).get("candidate") == revision else ""


VERB = VerbModule(intents=intents, waits_for=waits_for)
