"""What policies ask to be measured. Of what none of them asks for, nothing is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from sentinel_operator.api.actionpolicy import ActionPolicySpec, PolicyRule, Selector
from sentinel_operator.core.levels.measured import LEVELS, Level
from sentinel_operator.core.policy.facts import Facts
from sentinel_operator.core.policy.matcher import matches
from sentinel_operator.core.policy.policy import Policy

_MENTIONED = re.compile(r"\btelemetry\b(?:\s*\.\s*(\w+))?")


def levels_of(spec: ActionPolicySpec) -> frozenset[Level]:
    """Gives what the rules of a policy judge by."""
    return frozenset(level for rule in spec.rules or () for level in _levels(rule))


def _levels(rule: PolicyRule) -> Iterable[Level]:
    if rule.sla is not None:
        yield "uptimePercent"
    if rule.slo is not None and rule.slo.max_p99_latency_ms is not None:
        yield "p99LatencyMs"
    if rule.slo is not None and rule.slo.min_success_rate_percent is not None:
        yield "successRatePercent"
    for found in _MENTIONED.finditer(rule.cel.expression) if rule.cel is not None else ():
        yield from (level for level in LEVELS if found[1] in (level, None) or found[1] not in LEVELS)


def asking(policies: Iterable[Policy]) -> tuple[tuple[ActionPolicySpec, frozenset[Level]], ...]:
    """Gives those policies that judge by service levels, each with which."""
    known = [(each.spec, levels_of(each.spec)) for each in policies if each.spec is not None and not each.spec.suspend]
    return tuple((spec, levels) for spec, levels in known if levels)


def asked_about(policies: Iterable[Policy], facts: Facts) -> frozenset[Level]:
    """Gives what one decision is judged by."""
    return _joined(levels for spec, levels in asking(policies) if matches(spec.selector, facts))


def may_be_asked_about(policies: Iterable[Policy], kind: str, raw: Mapping[str, object]) -> frozenset[Level]:
    """Gives what any decision about an object could be judged by, whoever proposes it and whatever it is."""
    return _joined(levels for spec, levels in asking(policies) if _may_match(spec.selector, kind, raw))


def _may_match(selector: Selector | None, kind: str, raw: Mapping[str, object]) -> bool:
    if selector is None:
        return True
    metadata = raw["metadata"] if isinstance(raw["metadata"], Mapping) else {}
    labels = metadata.get("labels") or {}
    return (
        (selector.namespaces is None or metadata.get("namespace") in selector.namespaces)
        and (selector.kinds is None or kind in selector.kinds)
        and (selector.labels is None or selector.labels.items() <= dict(labels).items())
    )


def _joined(sets: Iterable[frozenset[Level]]) -> frozenset[Level]:
    return frozenset[Level]().union(*sets)
