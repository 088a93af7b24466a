"""rollback: an earlier revision in place of this one. Taken back, this one is there again."""

from __future__ import annotations

import copy
from typing import Any

from sentinel_operator.api.actionverbs import previous, whole_number
from sentinel_operator.core.actionplan.edits import edit
from sentinel_operator.core.actionplan.intent import Intent, of
from sentinel_operator.core.actionplan.verbs.case import Case, Refusal, VerbModule
from sentinel_operator.core.actionplan.verbs.delivery import ordered_to, rollout_of, serving
from sentinel_operator.core.actionplan.verbs.workload import rolls
from sentinel_operator.core.actionplan.view import status_of
from sentinel_operator.core.plan import Manifest

_NUMBER = "deployment.kubernetes.io/revision"
_HASH = "pod-template-hash"


def intents(case: Case) -> tuple[Intent, ...]:
    """Decides the revision: the one that is named, or the one before this."""
    live = case.live
    if case.decision.target.kind == "SentryModel":
        return (_of_model(case, live),)
    numbered = dict(_revisions(case, live))
    current = _current(live, numbered)
    wanted = case.param("revision")
    if previous(wanted):
        earlier = [number for number in numbered if current is None or number < current]
        if not earlier:
            raise Refusal("there is no earlier revision")
        number = max(earlier)
    else:
        number = _numbered(wanted, numbered)
    return (of(live, [edit(live, ("spec", "template"), numbered[number])]),)


def waits_for(case: Case, _: tuple[Intent, ...]) -> str:
    """Waits until the earlier revision serves."""
    live = case.live
    if case.decision.target.kind != "SentryModel":
        return rolls(live)
    asked = ((live.get("spec") or {}).get("rollout") or {}).get("rollbackTo") or {}
    return serving(live, str(asked.get("revision") or ""))


def _of_model(case: Case, live: Manifest) -> Intent:
    rollout, wanted = rollout_of(live), case.param("revision")
    asked_for = rollout.get("candidate") or rollout.get("stable")
    if not asked_for:
        raise Refusal("it has no revision yet")
    if previous(wanted):
        records = [each for each in status_of(live).get("revisions") or () if each.get("promotedAt")]
        earlier = [each for each in records if each["revision"] not in (asked_for, rollout.get("stable"))]
        stable_is_earlier = bool(rollout.get("candidate")) and bool(rollout.get("stable"))
        if not stable_is_earlier and not earlier:
            raise Refusal("there is no earlier revision that was promoted")
        newest = max((str(each["promotedAt"]), str(each["revision"])) for each in earlier)[1] if earlier else ""
        wanted = str(rollout["stable"]) if stable_is_earlier else newest
    elif str(wanted) not in {str(each.get("revision")) for each in status_of(live).get("revisions") or ()}:
        raise Refusal(f"there is no revision {wanted}")
    if str(wanted) == asked_for:
        raise Refusal(f"revision {wanted} is the one that its spec asks for")
    return of(live, ordered_to(live, "rollbackTo", {"revision": str(wanted), "insteadOf": asked_for}))


def _revisions(case: Case, live: Manifest) -> list[tuple[int, Any]]:
    found = []
    for each in case.view.revisions:
        if live["kind"] == "Deployment":
            number = (each["metadata"].get("annotations") or {}).get(_NUMBER)
            template = copy.deepcopy((each.get("spec") or {}).get("template"))
            ((template or {}).get("metadata") or {}).get("labels", {}).pop(_HASH, None)
        else:
            number = each.get("revision")
            template = copy.deepcopy(((each.get("data") or {}).get("spec") or {}).get("template"))
            (template or {}).pop("$patch", None)
        if number is not None and str(number).isdigit() and template:
            found.append((int(number), template))
    return found


def _current(live: Manifest, numbered: dict[int, Any]) -> int | None:
    template = (live.get("spec") or {}).get("template")
    same = [number for number, each in numbered.items() if each == template]
    if same:
        return max(same)
    number = (live["metadata"].get("annotations") or {}).get(_NUMBER)
    return int(number) if number is not None and str(number).isdigit() else max(numbered, default=None)


def _numbered(wanted: int | str | None, numbered: dict[int, Any]) -> int:
    try:
        number = whole_number(wanted if wanted is not None else "")
    except ValueError as error:
        raise Refusal(f"revision {wanted!r} is no number") from error
    if number not in numbered:
        raise Refusal(f"there is no revision {number}")
    return number


VERB = VerbModule(intents=intents, waits_for=waits_for)
