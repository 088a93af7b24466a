"""What an ActionPlan must be beyond what its schema can say, and who is recorded as having made and approved it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

from pydantic import ValidationError

from sentinel_operator.api.actionplan import ActionPlanSpec, PlanMetric
from sentinel_operator.api.analysis import AnalysisSpec, MetricCheck
from sentinel_operator.api.kinds import ACTION_PLAN
from sentinel_operator.core.actionplan.order import ordered
from sentinel_operator.core.actionplan.stamps import APPROVED_BY, REQUESTED_BY, written
from sentinel_operator.core.admission.errors import broken_rules, explain
from sentinel_operator.core.admission.fixed import moved
from sentinel_operator.core.admission.verdict import FieldError, Requester, Review, Verdict
from sentinel_operator.core.analysis.check import problems
from sentinel_operator.core.conditions import parse_time, rfc3339
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.policy.facts import Identity

_ANY_TIME = datetime(1970, 1, 1, tzinfo=UTC)


def validate(review: Review) -> Verdict:
    """Judges a creation or an update: errors refuse it. It comes after what `stamped` says was put in."""
    spec, errors = read(review.new)
    before = read(review.old)[0] if review.old is not None else None
    edited = moved(ACTION_PLAN, before, spec) if before is not None and spec is not None else ()
    return Verdict(errors=(*errors, *edited, *_forged(review)))


def read(raw: Manifest) -> tuple[ActionPlanSpec | None, tuple[FieldError, ...]]:
    """Parses the spec and says all that is wrong with the object; without errors there is a spec."""
    errors = broken_rules(ACTION_PLAN, raw)
    try:
        spec = ActionPlanSpec.model_validate(raw.get("spec") or {})
    except ValidationError as error:
        return None, (*errors, *explain(error))
    return spec, (*errors, *_beyond_schema(spec))


def asks_for_approval(review: Review) -> bool:
    """Tells whether the request says something about approval: it takes the right to `approve` actionplans then."""
    before = (review.old or {}).get("spec") or {}
    after = review.new.get("spec") or {}
    return bool(after.get("approval") != before.get("approval"))


def stamped(review: Review, now: datetime) -> dict[str, str | None]:
    """Gives the annotations as they must be, over whatever the request says of them; None takes one away."""
    old = ((review.old or {}).get("metadata") or {}).get("annotations") or {}
    who = identity_of(review.requester)
    requested = written(who) if review.old is None else old.get(REQUESTED_BY)
    approved = old.get(APPROVED_BY)
    if asks_for_approval(review):
        has_approval = (review.new.get("spec") or {}).get("approval") is not None
        approved = written(who, at=rfc3339(now)) if has_approval else None
    return {REQUESTED_BY: requested, APPROVED_BY: approved}


def identity_of(requester: Requester) -> Identity:
    """Gives who asks, as policies know them."""
    return Identity(username=requester.username, groups=frozenset(requester.groups))


def _forged(review: Review) -> Iterator[FieldError]:
    """Whoever asks is recorded, and nobody else, whatever became of the stamps on the way here."""
    found = (review.new.get("metadata") or {}).get("annotations") or {}
    for name, wanted in stamped(review, _ANY_TIME).items():
        if _without_time(found.get(name)) != _without_time(wanted):
            yield FieldError(f"metadata.annotations[{name}]", "must be what admission has made of the request")


def _without_time(stamp: str | None) -> object:
    try:
        found = json.loads(stamp) if stamp is not None else None
    except ValueError:
        return stamp
    return {key: value for key, value in found.items() if key != "at"} if isinstance(found, dict) else found


def _beyond_schema(spec: ActionPlanSpec) -> Iterator[FieldError]:
    if spec.created_at is not None and parse_time(spec.created_at) is None:
        yield FieldError("spec.createdAt", "is no moment: there is no such day or time")
    try:
        ordered(spec.decisions)
    except ValueError as error:
        yield FieldError("spec.decisions", str(error))
    if spec.verify is not None:
        yield from _metrics(spec.verify.metrics, "spec.verify")
    for index, decision in enumerate(spec.decisions):
        wanted = decision.preconditions
        if wanted is not None and wanted.metrics is not None:
            yield from _metrics(wanted.metrics, f"spec.decisions[{index}].preconditions")


def _metrics(metrics: list[PlanMetric], path: str) -> Iterator[FieldError]:
    checks = [MetricCheck.model_validate(each.model_dump(by_alias=True, exclude_none=True)) for each in metrics]
    for field, message in problems(AnalysisSpec(metrics=checks)):
        yield FieldError(f"{path}.{field}", message)
