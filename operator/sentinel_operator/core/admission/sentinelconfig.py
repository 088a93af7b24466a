"""What a SentinelConfig must be; the webhook, the reconciler and the source of the settings ask the same function."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from sentinel_operator.api.kinds import SENTINEL_CONFIG
from sentinel_operator.api.sentinelconfig import ChangeBudget, SentinelConfigSpec
from sentinel_operator.core.admission.errors import broken_rules, explain
from sentinel_operator.core.admission.verdict import FieldError, Review, Verdict
from sentinel_operator.core.plan import Manifest


def validate(review: Review) -> Verdict:
    """Judges a creation or an update: errors refuse it, warnings are shown to whoever made it."""
    spec, errors = read(review.new)
    if spec is None or errors:
        return Verdict(errors=errors)
    before = read(review.old)[0] if review.old is not None else None
    return Verdict(warnings=tuple(_advice(spec, before or SentinelConfigSpec())))


def read(raw: Manifest) -> tuple[SentinelConfigSpec | None, tuple[FieldError, ...]]:
    """Parses the settings and says all that is wrong with the object; without errors there are settings."""
    errors = broken_rules(SENTINEL_CONFIG, raw)
    try:
        return SentinelConfigSpec.model_validate(raw.get("spec") or {}), errors
    except ValidationError as error:
        return None, (*errors, *explain(error))


def _advice(spec: SentinelConfigSpec, before: SentinelConfigSpec) -> Iterator[str]:
    yield from _budget_advice(spec.change_budget, before.change_budget)
    bridge = spec.bridge
    if bridge is not None and bridge != before.bridge and bridge.tls.plaintext and bridge.token_secret_ref is not None:
        yield "spec.bridge.tls.plaintext is true: the token goes over the network for everybody on the way to read"
    if spec.images.fetch != before.images.fetch:
        yield "spec.images.fetch is another one: every SentryModel gets a new revision"
    if spec.images.model_server != before.images.model_server:
        yield "spec.images.modelServer is another one: every SentryModel without spec.runtime.image gets a new revision"


def _budget_advice(budget: ChangeBudget, before: ChangeBudget) -> Iterator[str]:
    whole = budget.max_concurrent_rollouts
    for field, scope in (
        ("max_concurrent_rollouts", ""),
        ("per_namespace", ""),
        ("per_gpu_class", " that asks for GPUs"),
    ):
        slots, path = getattr(budget, field), f"spec.changeBudget.{to_camel(field)}"
        if slots == 0 and getattr(before, field) != 0:
            yield f"{path} is 0: no rollout{scope} begins until it is raised; those under way go on"
        elif slots and whole and slots > whole:
            yield f"{path} has no effect: spec.changeBudget.maxConcurrentRollouts is {whole}"
