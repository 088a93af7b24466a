"""Every decision by every rule of every policy that matches it; what comes of it is the strictest, and all is told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

from sentinel_operator.api.actionpolicy import PolicyMode, PolicyRule
from sentinel_operator.api.actionstatus import Effect, TraceEntry
from sentinel_operator.core.conditions import truncated
from sentinel_operator.core.policy.effects import effect_of, strictest
from sentinel_operator.core.policy.facts import Facts
from sentinel_operator.core.policy.finding import Finding, violated
from sentinel_operator.core.policy.matcher import matches
from sentinel_operator.core.policy.policy import Policy, ordered
from sentinel_operator.core.policy.rules import (
    approval,
    blast_radius,
    cel,
    change_freeze,
    cost_ceiling,
    quota,
    rate_limit,
    sla,
    slo,
)
from sentinel_operator.core.policy.safety import OWN, own_limit
from sentinel_operator.core.policy.values import Values


@dataclass(frozen=True, slots=True)
class Entry:
    """One rule of one policy on one decision."""

    decision: str
    policy: str
    priority: int
    mode: PolicyMode
    rule: str
    index: int
    effect: Effect
    message: str
    finding: Finding

    @property
    def verdict(self) -> Literal["Holds", "Violated"]:
        """Tells whether the bound is kept."""
        return "Violated" if self.finding.violated else "Holds"

    @property
    def inputs(self) -> dict[str, str]:
        """Gives what it was judged by."""
        return self.finding.inputs

    def recorded(self) -> TraceEntry:
        """Writes it into the status."""
        return TraceEntry(
            decision=self.decision,
            policy=self.policy,
            priority=self.priority,
            mode=self.mode,
            rule=self.rule,
            index=self.index,
            inputs=self.inputs or None,
            verdict=self.verdict,
            effect=self.effect,
            message=truncated(self.message),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the policies make of one decision, and why: one entry a rule, the highest priority first."""

    effect: Effect
    trace: tuple[Entry, ...]

    @property
    def deciding(self) -> Entry | None:
        """Gives the first entry that has the effect that counts; None where nothing was violated."""
        return next((each for each in self.trace if each.effect == self.effect and each.verdict == "Violated"), None)


def judge(policies: Iterable[Policy], facts: Facts) -> Judgement:
    """Judges one decision. The order in which the policies come in does not matter."""
    return judge_ordered(ordered(policies), facts)


def judge_ordered(policies: Sequence[Policy], facts: Facts) -> Judgement:
    """Judges by policies that are in their order already."""
    matching = [each for each in policies if each.spec is None or matches(each.spec.selector, facts)]
    trace = (*_own(facts), *_entries(matching, facts))
    return Judgement(effect=strictest(each.effect for each in trace), trace=trace)


def _own(facts: Facts) -> Iterator[Entry]:
    finding = own_limit(facts)
    if finding is not None:
        effect: Effect = "Reject" if finding.violated else "Pass"
        yield Entry(facts.decision.id, OWN, 0, "Enforce", "Safety", 0, effect, finding.message, finding)


def _entries(matching: Sequence[Policy], facts: Facts) -> Iterator[Entry]:
    values, lenient, decision = Values(facts), _allows_self(matching), facts.decision.id
    for policy in matching:
        spec = policy.spec
        if spec is None:
            yield _unreadable(policy, facts)
            continue
        for index, rule in enumerate(spec.rules or ()):
            finding = found(rule, facts, values)
            effect: Effect = effect_of(spec.mode, rule) if finding.violated else "Pass"
            message = finding.message
            if effect == "RequireApproval" and rule.type != "Approval" and approval.agreed(facts, allow_self=lenient):
                effect, message = "Log", f"{message}; approved"
            yield Entry(decision, policy.name, spec.priority, spec.mode, rule.type, index, effect, message, finding)


def _allows_self(matching: Sequence[Policy]) -> bool:
    return any(
        rule.approval is not None and rule.approval.allow_self
        for policy in matching
        if policy.spec is not None and policy.spec.mode == "Enforce"
        for rule in policy.spec.rules or ()
    )


def _unreadable(policy: Policy, facts: Facts) -> Entry:
    """What an administrator meant cannot be known, so nothing passes until it can."""
    finding = violated(f"the policy cannot be read: {policy.problem}")
    return Entry(facts.decision.id, policy.name, 0, "Enforce", "Unreadable", 0, "Reject", finding.message, finding)


def found(rule: PolicyRule, facts: Facts, values: Values) -> Finding:
    """Judges by one rule. A bound that cannot be worked out counts as violated."""
    try:
        return _found(rule, facts, values)
    except (ValueError, ArithmeticError) as error:
        return violated(f"the rule cannot be judged: {error}")


def _found(rule: PolicyRule, facts: Facts, values: Values) -> Finding:  # noqa: C901 - one line a type
    match rule.type:
        case "CostCeiling" if rule.cost_ceiling is not None:
            return cost_ceiling.judge(rule.cost_ceiling, facts)
        case "RateLimit" if rule.rate_limit is not None:
            return rate_limit.judge(rule.rate_limit, facts)
        case "SLA" if rule.sla is not None:
            return sla.judge(rule.sla, facts)
        case "SLO" if rule.slo is not None:
            return slo.judge(rule.slo, facts)
        case "Quota" if rule.quota is not None:
            return quota.judge(rule.quota, facts)
        case "ChangeFreeze" if rule.change_freeze is not None:
            return change_freeze.judge(rule.change_freeze, facts)
        case "BlastRadius" if rule.blast_radius is not None:
            return blast_radius.judge(rule.blast_radius, facts)
        case "Approval" if rule.approval is not None:
            return approval.judge(rule.approval, facts)
        case "CEL" if rule.cel is not None:
            return cel.judge(rule.cel, values)
        case (
            "CostCeiling" | "RateLimit" | "SLA" | "SLO" | "Quota" | "ChangeFreeze" | "BlastRadius" | "Approval" | "CEL"
        ):
            return violated(f"the rule says nothing of {rule.type}")
        case _:
            assert_never(rule.type)
