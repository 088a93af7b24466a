"""What a violation does: the rule says it, and only an enforced policy is heard."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from sentinel_operator.api.actionpolicy import OnViolation, PolicyMode, PolicyRule
from sentinel_operator.api.actionstatus import Effect

_STRICTNESS: tuple[Effect, ...] = ("Pass", "Log", "Warn", "RequireApproval", "Reject")


def on_violation(rule: PolicyRule) -> OnViolation:
    """Gives what the rule asks for. An Approval that would reject could never be given."""
    if rule.on_violation is not None and not (rule.type == "Approval" and rule.on_violation == "Reject"):
        return rule.on_violation
    return "RequireApproval" if rule.type == "Approval" else "Reject"


def effect_of(mode: PolicyMode, rule: PolicyRule) -> Effect:
    """Gives what a violation does under the policy's mode."""
    match mode:
        case "Enforce":
            return on_violation(rule)
        case "Audit" | "DryRun":
            return "Log"
        case "Shadow":
            return "Pass"
        case _:
            assert_never(mode)


def strictest(effects: Iterable[Effect]) -> Effect:
    """Gives the one that counts; Pass where there is none."""
    return max(effects, key=_STRICTNESS.index, default="Pass")


def blocks(effect: Effect) -> bool:
    """Tells whether the effect keeps a change from being made, for now or for good."""
    match effect:
        case "Reject" | "RequireApproval":
            return True
        case "Warn" | "Log" | "Pass":
            return False
        case _:
            assert_never(effect)
