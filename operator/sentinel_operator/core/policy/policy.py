"""A policy as it is judged by: read once, in the order in which policies are told of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sentinel_operator.api.actionpolicy import ActionPolicySpec
from sentinel_operator.core.admission.actionpolicy import read
from sentinel_operator.core.parsing import parse
from sentinel_operator.core.plan import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy with its name. One that cannot be read has no spec, and lets nothing pass."""

    name: str
    spec: ActionPolicySpec | None
    problem: str = ""

    @classmethod
    def of(cls, raw: Manifest) -> Policy:
        """Reads a raw object."""
        parsed = parse(raw, read)
        return cls(name=raw["metadata"]["name"], spec=parsed.spec, problem=parsed.problem)

    @property
    def rank(self) -> tuple[int, str]:
        """Orders policies: those that cannot be read first, then by priority, then by name."""
        return (-self.spec.priority if self.spec is not None else -1001), self.name


def ordered(policies: Iterable[Policy]) -> tuple[Policy, ...]:
    """Gives the policies that judge, in their order. Two of one name would be the same."""
    judging = (each for each in policies if each.spec is None or not each.spec.suspend)
    return tuple(sorted(judging, key=lambda each: each.rank))
