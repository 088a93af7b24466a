"""Quota: how large a workload may be scaled."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from sentinel_operator.api.actionrules import Quota
from sentinel_operator.api.fields import quantity
from sentinel_operator.core.policy.facts import Facts
from sentinel_operator.core.policy.finding import Finding, holds, number, violated


def judge(bound: Quota, facts: Facts) -> Finding:
    """Finds a scale violated that asks for more than the quota, or, of what is limited, for what is not known."""
    after = facts.replicas_after
    if facts.decision.verb != "scale" or after is None:
        return holds("it does not change how large the workload is")
    broken, told = [], dict[str, object]()
    for name, each, most, word in _limits(bound, facts):
        total = each * after if each is not None else None
        told |= {name: total, f"max{name[0].upper()}{name[1:]}": most}
        if total is None:
            broken.append(f"what its pods ask for of {word} is not known")
        elif total > most:
            broken.append(f"{number(total)} {word} are asked for, at most {number(most)} are allowed")
    return violated("; ".join(broken), **told) if broken else holds("it is within the quota", **told)


def _limits(bound: Quota, facts: Facts) -> Iterator[tuple[str, Decimal | None, Decimal, str]]:
    """Yields what each limited thing is called, how much of it a replica takes, and how much there may be."""
    pod = facts.target.requests
    if bound.max_replicas is not None:
        yield "replicas", Decimal(1), Decimal(bound.max_replicas), "replicas"
    if bound.max_cpu_cores is not None:
        yield "cpuCores", pod.cpu_cores if pod else None, quantity(bound.max_cpu_cores), "CPU cores"
    if bound.max_memory_gi is not None:
        yield "memoryGi", pod.memory_gi if pod else None, quantity(bound.max_memory_gi), "GiB of memory"
    if bound.max_gpus is not None:
        yield "gpus", pod.gpus if pod else None, Decimal(bound.max_gpus), "GPUs"
