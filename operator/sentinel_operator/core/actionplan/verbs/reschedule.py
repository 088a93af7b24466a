"""reschedule: moves a workload's pods off a node. They do not come back when it is taken back."""

from __future__ import annotations

from sentinel_operator.core.actionplan.edits import edit
from sentinel_operator.core.actionplan.intent import Intent, of
from sentinel_operator.core.actionplan.pods import leaves, on
from sentinel_operator.core.actionplan.verbs.case import Case, Refusal, VerbModule


def intents(case: Case) -> tuple[Intent, ...]:
    """Decides which pods go. The node takes no new ones meanwhile, where the plan may have a say in Nodes; elsewhere
    the scheduler may choose it again."""
    live, name = case.live, str(case.param("node"))
    node = case.nodes.get(name)
    if node is None:
        raise Refusal(f"there is no node {name}")
    uids = sorted(str(each["metadata"]["uid"]) for each in on(name, case.view.pods) if leaves(each))
    moved = of(live, evict=uids)
    if not case.may_cordon or not uids:
        return (moved,)
    return of(node, [edit(node, ("spec", "unschedulable"), True)], temporary=True), moved


def waits_for(case: Case, done: tuple[Intent, ...]) -> str:
    """Waits until none of those pods is there."""
    going = {uid for each in done for uid in each.evict}
    left = [str(each["metadata"]["name"]) for each in case.view.pods if each["metadata"].get("uid") in going]
    return f"{len(left)} pods are left, {min(left)} among them" if left else ""


VERB = VerbModule(intents=intents, waits_for=waits_for)
