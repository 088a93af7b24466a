"""promote: lets a rollout that waits go on, past one step or to its end."""

from __future__ import annotations

from typing import Any

from sentinel_operator.api.actionverbs import whole_number
from sentinel_operator.core.actionplan.intent import Intent, of
from sentinel_operator.core.actionplan.verbs.case import Case, VerbModule
from sentinel_operator.core.actionplan.verbs.delivery import candidate_of, ordered_to, rollout_of, serving
from sentinel_operator.core.actionplan.view import is_current


def intents(case: Case) -> tuple[Intent, ...]:
    """Decides the step; absent it is the one at which the rollout is now."""
    live, candidate = case.live, candidate_of(case)
    rollout, step = rollout_of(live), case.param("step")
    full = str(case.param("full")) == "true"
    # Said also where it is the default: what the API server puts in by itself would look like somebody else's change.
    order: dict[str, Any] = {"revision": candidate, "attempt": int(rollout.get("attempt") or 1), "full": full}
    if not full:
        order["step"] = whole_number(step) if step is not None else int(rollout.get("step") or 0)
    return (of(live, ordered_to(live, "promote", order)),)


def waits_for(case: Case, _: tuple[Intent, ...]) -> str:
    """Waits until the rollout is past the step, or the revision serves alone."""
    live = case.live
    order = ((live.get("spec") or {}).get("rollout") or {}).get("promote") or {}
    rollout, revision = rollout_of(live), str(order.get("revision") or "")
    if order.get("full") or rollout.get("candidate") != revision:
        return serving(live, revision)
    if is_current(live) and int(rollout.get("step") or 0) > int(order.get("step") or 0):
        return ""
    return f"revision {revision} is at step {rollout.get('step') or 0}"


VERB = VerbModule(intents=intents, waits_for=waits_for)
