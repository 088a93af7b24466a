"""scale: sets the number of replicas. Taken back, the number is the one that was there."""

from __future__ import annotations

from sentinel_operator.api.actionverbs import whole_number
from sentinel_operator.core.actionplan.edits import edit
from sentinel_operator.core.actionplan.intent import Intent, of
from sentinel_operator.core.actionplan.verbs.case import Case, Refusal, VerbModule
from sentinel_operator.core.actionplan.verbs.delivery import rollout_of
from sentinel_operator.core.actionplan.view import is_current, spec_of, status_of, wanted_replicas


def intents(case: Case) -> tuple[Intent, ...]:
    """Decides the number. What an autoscaler looks after is the autoscaler's."""
    live = case.live
    if case.view.autoscaler or spec_of(live).get("autoscaling"):
        raise Refusal(f"its replicas are set by {case.view.autoscaler or 'its own autoscaling'}")
    replicas = whole_number((case.decision.params or {})["replicas"])
    return (of(live, [edit(live, ("spec", "replicas"), replicas)]),)


def waits_for(case: Case, _: tuple[Intent, ...]) -> str:
    """Waits until as many are ready, and no more are there; a model has more of them while a rollout is under way."""
    live = case.live
    status, wanted = status_of(live), wanted_replicas(live)
    ready, there = int(status.get("readyReplicas") or 0), int(status.get("replicas") or 0)
    if not is_current(live):
        return "its controller has not seen the number yet"
    rolls_out = live["kind"] == "SentryModel" and bool(rollout_of(live).get("candidate"))
    return "" if ready >= wanted and (there <= wanted or rolls_out) else f"{ready} of {wanted} replicas are ready"


VERB = VerbModule(intents=intents, waits_for=waits_for)
