"""What an ActionPolicy must be beyond what its schema can say; webhook, reconciler and judge ask the same function."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError

from sentinel_operator.api.actionpolicy import ActionPolicySpec, PolicyRule
from sentinel_operator.api.actionrules import ChangeFreeze
from sentinel_operator.api.kinds import ACTION_POLICY
from sentinel_operator.core.admission.errors import broken_rules, explain
from sentinel_operator.core.admission.verdict import FieldError, Review, Verdict
from sentinel_operator.core.conditions import parse_time
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.policy.expression import ExpressionError, expression
from sentinel_operator.core.policy.rules.change_freeze import zone


def validate(review: Review) -> Verdict:
    """Judges a creation or an update: errors refuse it, warnings are shown to whoever made it."""
    spec, errors = read(review.new)
    if spec is None or errors:
        return Verdict(errors=errors)
    return Verdict(warnings=tuple(_advice(spec)))


def read(raw: Manifest) -> tuple[ActionPolicySpec | None, tuple[FieldError, ...]]:
    """Parses the spec and says all that is wrong with the object; without errors there is a spec."""
    errors = broken_rules(ACTION_POLICY, raw)
    try:
        spec = ActionPolicySpec.model_validate(raw.get("spec") or {})
    except ValidationError as error:
        return None, (*errors, *explain(error))
    return spec, (*errors, *_beyond_schema(spec))


def _beyond_schema(spec: ActionPolicySpec) -> Iterator[FieldError]:
    for index, rule in enumerate(spec.rules or ()):
        path = f"spec.rules[{index}]"
        if rule.cel is not None:
            try:
                expression(rule.cel.expression)
            except ExpressionError as error:
                yield FieldError(f"{path}.cel.expression", str(error))
        if rule.change_freeze is not None:
            yield from _freeze(rule.change_freeze, f"{path}.changeFreeze")


def _freeze(freeze: ChangeFreeze, path: str) -> Iterator[FieldError]:
    for index, window in enumerate(freeze.windows or ()):
        start, end = parse_time(window.start), parse_time(window.end)
        for name, moment in (("start", start), ("end", end)):
            if moment is None:
                yield FieldError(f"{path}.windows[{index}].{name}", "is no moment: there is no such day or time")
        if start is not None and end is not None and start >= end:
            yield FieldError(f"{path}.windows[{index}].end", "must be after start")
    for index, again in enumerate(freeze.recurring or ()):
        try:
            zone(again.timezone)
        except ValueError as error:
            yield FieldError(f"{path}.recurring[{index}].timezone", str(error))


def _advice(spec: ActionPolicySpec) -> Iterator[str]:
    if not spec.rules and not spec.sources:
        yield "spec.rules is empty: nothing is judged by it"
    if spec.mode != "Enforce" and spec.rules:
        yield f"spec.mode is {spec.mode}: nothing is kept from being done"
    for index, rule in enumerate(spec.rules or ()):
        if _forbids_all(rule):
            yield f"spec.rules[{index}].rateLimit is 0: nothing that matches is done"


def _forbids_all(rule: PolicyRule) -> bool:
    return rule.rate_limit is not None and 0 in (rule.rate_limit.max_per_minute, rule.rate_limit.max_per_hour)
