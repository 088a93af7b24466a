"""restart: has every pod replaced, as a rollout does it. Taken back, the template is the one that was there."""

from __future__ import annotations

from sentinel_operator.core.actionplan.edits import edit
from sentinel_operator.core.actionplan.intent import Intent, of
from sentinel_operator.core.actionplan.verbs.case import Case, Refusal, VerbModule
from sentinel_operator.core.actionplan.verbs.workload import rolls
from sentinel_operator.core.actionplan.view import spec_of, wanted_replicas
from sentinel_operator.core.analysis.measurement import stamp
from sentinel_operator.core.plan import Manifest

ANNOTATION = "kubectl.kubernetes.io/restartedAt"
PATH = ("spec", "template", "metadata", "annotations", ANNOTATION)


def intents(case: Case) -> tuple[Intent, ...]:
    """Decides the moment by which the new pods are told from the old; of a SentryModel those of all its revisions
    that have pods."""
    found = _restarted(case)
    if not found:
        raise Refusal("none of its revisions has pods")
    if any((spec_of(each).get("updateStrategy") or {}).get("type") == "OnDelete" for each in found):
        raise Refusal("its update strategy is OnDelete: nothing would restart")
    if any(spec_of(each).get("paused") for each in found):
        raise Refusal("it is paused: nothing would restart")
    return tuple(of(each, [edit(each, PATH, stamp(case.now))]) for each in found)


def waits_for(case: Case, done: tuple[Intent, ...]) -> str:
    """Waits until the pods are those of the template."""
    uids = {each.ref.uid for each in done}
    waiting = (rolls(each) for each in _restarted(case) if each["metadata"].get("uid") in uids)
    return next((each for each in waiting if each), "")


def _restarted(case: Case) -> list[Manifest]:
    if case.decision.target.kind != "SentryModel":
        return [case.live]
    _ = case.live
    ordered = sorted(case.view.deployments, key=lambda each: str(each["metadata"]["name"]))
    return [each for each in ordered if wanted_replicas(each) > 0][:4]


VERB = VerbModule(intents=intents, waits_for=waits_for)
