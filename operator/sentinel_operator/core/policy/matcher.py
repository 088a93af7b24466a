"""Which policies a decision is judged by, and as whom somebody counts. Neither asks what the plan says of itself."""

from __future__ import annotations

from collections.abc import Iterable

from sentinel_operator.api.actionpolicy import Selector
from sentinel_operator.core.policy.facts import Facts, Identity
from sentinel_operator.core.policy.policy import Policy


def sources_of(who: Identity, policies: Iterable[Policy]) -> frozenset[str]:
    """Gives every name that is true of somebody: the user's own, and those that policies give to it."""
    given = (
        each.name
        for policy in policies
        for each in (policy.spec.sources or () if policy.spec is not None else ())
        if who.username in (each.users or ()) or who.groups & set(each.groups or ())
    )
    return frozenset({who.username, *given}) - {""}


def matches(selector: Selector | None, facts: Facts) -> bool:
    """Tells whether all of what the selector names is true of the decision; an absent one matches everything."""
    if selector is None:
        return True
    target = facts.decision.target
    return (
        (selector.sources is None or bool(facts.sources & set(selector.sources)))
        and (selector.verbs is None or facts.decision.verb in selector.verbs)
        and (selector.namespaces is None or facts.namespace in selector.namespaces)
        and (selector.kinds is None or target.kind in selector.kinds)
        and (selector.labels is None or selector.labels.items() <= dict(facts.target.labels).items())
    )
