"""CEL: an expression of the policy's author, over what was measured and verified. No answer is no agreement."""

from __future__ import annotations

from sentinel_operator.api.actionrules import CelRule
from sentinel_operator.core.policy.expression import ExpressionError, expression
from sentinel_operator.core.policy.finding import Finding, holds, violated
from sentinel_operator.core.policy.values import Values


def judge(bound: CelRule, values: Values) -> Finding:
    """Finds a change violated for which the expression is not true."""
    told: dict[str, object] = {"expression": bound.expression}
    try:
        read = expression(bound.expression)
        answer = read.holds(values.activation)
    except ExpressionError as error:
        return violated(str(error), **told)
    if "telemetry" in read.names:
        told |= values.facts.target.shown(*sorted(values.facts.target.measured))
    if answer is None:
        return violated(bound.message or "the expression has no answer", **told, answer="none")
    if not answer:
        return violated(bound.message or "the expression is not true", **told, answer=False)
    return holds("the expression is true", **told, answer=True)
