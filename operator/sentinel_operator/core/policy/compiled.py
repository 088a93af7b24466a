"""Policies as ValidatingAdmissionPolicies: what of them the API server can hold to by itself, and why not the rest.

What is compiled refuses no plan that our own judge would let pass: whole rules give the same verdict at the moment of
creation, partial ones a necessary part of it. Only plans that would be done are refused; a dry run may break rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from sentinel_operator.api.actionpolicy import ActionPolicySpec, PolicyRule, Selector
from sentinel_operator.api.actionrules import BlastRadius, CelRule, Quota
from sentinel_operator.api.base import GROUP, VERSION
from sentinel_operator.core.names import MANAGED_BY, OPERATOR
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.policy.celtext import not_frozen, words
from sentinel_operator.core.policy.effects import effect_of
from sentinel_operator.core.policy.expression import ExpressionError, expression
from sentinel_operator.core.policy.policy import Policy

Action = Literal["Deny", "Warn", "Audit"]
Coverage = Literal["Whole", "Partial", "None"]
API = "admissionregistration.k8s.io/v1"
POLICY_LABEL = f"{GROUP}/policy"
_ACTIONS: tuple[Action, ...] = ("Deny", "Warn", "Audit")
_ALL = "object.spec.decisions"
_CHOSEN = "variables.selected"
_IDENTITY = (
    "{'username': dyn(request.userInfo.username), "
    "'groups': dyn(has(request.userInfo.groups) ? request.userInfo.groups : [])}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One rule in CEL; without an expression it says why there is none."""

    index: int
    rule: str
    coverage: Coverage
    expression: str = ""
    action: Action = "Deny"
    message: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """What became of a policy."""

    manifests: tuple[Manifest, ...]
    clauses: tuple[Clause, ...]


def compiled(policy: Policy, policies: Iterable[Policy]) -> Compiled:
    """Compiles one of the policies; `policies` are all of them, for they say together whom a source stands for."""
    spec = policy.spec
    if spec is None or spec.suspend:
        return Compiled(manifests=(), clauses=())
    clauses = tuple(_clause(index, rule, spec, _Names(tuple(policies))) for index, rule in enumerate(spec.rules or ()))
    manifests = [
        each
        for action in _ACTIONS
        if (held := [clause for clause in clauses if clause.expression and clause.action == action])
        for each in _manifests(policy, spec, action, held, _Names(tuple(policies)))
    ]
    return Compiled(manifests=tuple(manifests), clauses=clauses)


@dataclass(frozen=True, slots=True)
class _Names:
    """Whom the names of sources stand for."""

    policies: tuple[Policy, ...]

    def said_by(self, names: Iterable[str]) -> str:
        """Gives, in CEL, whether one of the names is true of whoever asks."""
        wanted = set(names)
        given = [
            each
            for policy in self.policies
            for each in (policy.spec.sources or () if policy.spec is not None else ())
            if each.name in wanted
        ]
        users = sorted(wanted | {user for each in given for user in each.users or ()})
        groups = sorted({group for each in given for group in each.groups or ()})
        either = [f"request.userInfo.username in {words(users)}"]
        if groups:
            has = "has(request.userInfo.groups)"
            either.append(f"({has} && request.userInfo.groups.exists(group, group in {words(groups)}))")
        return f"({' || '.join(either)})"


def _manifests(
    policy: Policy, spec: ActionPolicySpec, action: Action, clauses: Sequence[Clause], names: _Names
) -> Iterator[Manifest]:
    name = f"sentinel-{policy.name}-{action.lower()}"
    labels = {MANAGED_BY: OPERATOR, POLICY_LABEL: policy.name}
    resources = {
        "apiGroups": [GROUP],
        "apiVersions": [VERSION],
        "operations": ["CREATE"],
        "resources": ["actionplans"],
        "scope": "*",
    }
    yield {
        "apiVersion": API,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"matchPolicy": "Equivalent", "resourceRules": [resources]},
            "matchConditions": [{"name": "done", "expression": "object.spec.mode == 'Enforce'"}],
            "variables": [{"name": "selected", "expression": _selected(spec.selector, names)}],
            "validations": [
                {
                    "expression": clause.expression,
                    "message": f"{policy.name} ({clause.rule}): {' '.join(clause.message.split())}",
                    "reason": "Forbidden",
                }
                for clause in clauses
            ],
        },
    }
    yield {
        "apiVersion": API,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name, "labels": labels},
        "spec": {"policyName": name, "validationActions": [action]},
    }


def _selected(selector: Selector | None, names: _Names) -> str:
    conditions = []
    if selector is not None and selector.sources is not None:
        conditions.append(names.said_by(selector.sources))
    if selector is not None and selector.verbs is not None:
        conditions.append(f"each.verb in {words(selector.verbs)}")
    if selector is not None and selector.kinds is not None:
        conditions.append(f"each.target.kind in {words(selector.kinds)}")
    if selector is not None and selector.namespaces is not None:
        conditions.append(f"each.target.kind != 'Node' && {_namespace('each')} in {words(selector.namespaces)}")
    return f"{_ALL}.filter(each, {' && '.join(conditions)})" if conditions else _ALL


def _namespace(name: str) -> str:
    return f"(has({name}.target.namespace) ? {name}.target.namespace : request.namespace)"


def _clause(index: int, rule: PolicyRule, spec: ActionPolicySpec, names: _Names) -> Clause:
    match effect_of(spec.mode, rule):
        case "Reject":
            action: Action = "Deny"
        case "Warn":
            action = "Warn"
        case "Log" if spec.mode != "DryRun":
            action = "Audit"
        case "RequireApproval":
            return _none(index, rule, "approval comes after the creation")
        case _:
            return _none(index, rule, f"nothing is kept back in mode {spec.mode}")
    if spec.selector is not None and spec.selector.labels is not None:
        return _none(index, rule, "the labels of the target are not part of the plan")
    coverage, text, message = _said(rule, names)
    if not text:
        return _none(index, rule, message)
    return Clause(index=index, rule=rule.type, coverage=coverage, expression=text, action=action, message=message)


def _none(index: int, rule: PolicyRule, reason: str) -> Clause:
    return Clause(index=index, rule=rule.type, coverage="None", reason=reason)


def _said(rule: PolicyRule, names: _Names) -> tuple[Coverage, str, str]:
    """Gives how far a rule can be said, the expression, and its message or the reason for there being none."""
    if rule.rate_limit is not None:
        if 0 in (rule.rate_limit.max_per_minute, rule.rate_limit.max_per_hour):
            return "Whole", f"{_CHOSEN}.size() == 0", "nothing is allowed: the rate is 0"
        return "None", "", "how many changes were begun lately is not part of the plan"
    if rule.quota is not None:
        return _quota(rule.quota)
    if rule.change_freeze is not None:
        exempt = rule.change_freeze.exempt_sources
        thawed = f"{_CHOSEN}.size() == 0 || {not_frozen(rule.change_freeze)}"
        return "Whole", f"{names.said_by(exempt)} || {thawed}" if exempt else thawed, "changes are frozen"
    if rule.blast_radius is not None:
        return _breadth(rule.blast_radius)
    if rule.cel is not None:
        return _expression(rule.cel)
    if rule.approval is not None:
        return "None", "", "approval comes after the creation"
    return "None", "", "what it is judged by is measured by the operator"


def _quota(quota: Quota) -> tuple[Coverage, str, str]:
    if quota.max_replicas is None:
        return "None", "", "what pods ask for is not part of the plan"
    most = quota.max_replicas
    others = (quota.max_cpu_cores, quota.max_memory_gi, quota.max_gpus)
    text = f"{_CHOSEN}.all(each, each.verb != 'scale' || int(each.params['replicas']) <= {most})"
    coverage: Coverage = "Whole" if others == (None, None, None) else "Partial"
    return coverage, text, f"at most {most} replicas are allowed"


def _breadth(bound: BlastRadius) -> tuple[Coverage, str, str]:
    if bound.max_targets is None:
        return "None", "", "what it is judged by is measured by the operator"
    key = "{0}.target.kind == {1}.target.kind && {0}.target.name == {1}.target.name && {2} == {3}".format(
        "each", "other", _namespace("each"), _namespace("other")
    )
    first = f"{_ALL}.filter(each, !{_ALL}.exists(other, other.id < each.id && {key}))"
    text = f"{_CHOSEN}.size() == 0 || {first}.size() <= {bound.max_targets}"
    return "Partial", text, f"at most {bound.max_targets} targets may be in change at once"


def _expression(rule: CelRule) -> tuple[Coverage, str, str]:
    try:
        beyond = expression(rule.expression).names - {"decision", "identity"}
    except ExpressionError as error:
        return "None", "", str(error)
    if beyond:
        return "None", "", f"{', '.join(sorted(beyond))} is measured by the operator"
    text = f"[{_IDENTITY}].all(identity, {_CHOSEN}.all(decision, {rule.expression}))"
    return "Whole", text, rule.message or "the expression is not true"
