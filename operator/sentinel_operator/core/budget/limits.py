"""The limits that a rollout falls under, each with the field that sets it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from sentinel_operator.api.sentinelconfig import ChangeBudget
from sentinel_operator.core.budget.claim import Claim

CLUSTER = "cluster"


class Pool(NamedTuple):
    """A set of slots: the cluster's, a namespace's or a class of GPUs'."""

    scope: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Limit:
    """How many slots a pool has, and who says so."""

    pool: Pool
    slots: int
    field: str

    @property
    def where(self) -> str:
        """Names the pool in messages."""
        match self.pool.scope:
            case "namespace":
                return f"namespace {self.pool.name}"
            case "class":
                return f"GPU class {self.pool.name}"
            case _:
                return "the cluster"

    @property
    def said_by(self) -> str:
        """Names the field that sets it."""
        return f"spec.changeBudget.{self.field} of SentinelConfig default"


def limits_of(claim: Claim, budget: ChangeBudget) -> tuple[Limit, ...]:
    """Gives every limit that is set and concerns a claim, the widest first."""
    return tuple(_limits_of(claim, budget))


def _limits_of(claim: Claim, budget: ChangeBudget) -> Iterator[Limit]:
    if budget.max_concurrent_rollouts is not None:
        yield Limit(Pool(CLUSTER), budget.max_concurrent_rollouts, "maxConcurrentRollouts")
    if budget.per_namespace is not None:
        yield Limit(Pool("namespace", claim.who.namespace), budget.per_namespace, "perNamespace")
    if budget.per_gpu_class is not None and claim.gpu_class:
        yield Limit(Pool("class", claim.gpu_class), budget.per_gpu_class, "perGpuClass")


def limited(budget: ChangeBudget) -> bool:
    """Tells whether any limit is set."""
    return (budget.max_concurrent_rollouts, budget.per_namespace, budget.per_gpu_class) != (None, None, None)
