"""What a pod asks of a node, as the scheduler counts it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sentinel_operator.api.fields import quantity
from sentinel_operator.core.plan import Manifest

Amounts = Mapping[str, Decimal]
ZERO = Decimal(0)


def requests_of(spec: Manifest) -> dict[str, Decimal]:
    """Gives the requests of a pod's spec by resource; nothing that is asked for in vain is in it.

    Containers run together, init containers one after the other and before them, but for those that go on running
    (restartPolicy Always). What the pod as a whole declares takes the place of a resource's sum; overhead comes on top.
    Source: kubernetes/component-helpers, resource.PodRequests.
    """
    lasting: dict[str, Decimal] = {}
    peak: dict[str, Decimal] = {}
    for container in spec.get("initContainers") or ():
        asked = _container(container)
        if container.get("restartPolicy") == "Always":
            lasting = added(lasting, asked)
            peak = _most(peak, lasting)
        else:
            peak = _most(peak, added(lasting, asked))
    for container in spec.get("containers") or ():
        lasting = added(lasting, _container(container))
    whole = {**_most(peak, lasting), **_container(spec)}
    return {name: amount for name, amount in added(whole, amounts(spec.get("overhead"))).items() if amount > 0}


def amounts(given: Mapping[str, Any] | None) -> dict[str, Decimal]:
    """Reads quantities by resource."""
    return {name: quantity(each) for name, each in (given or {}).items()}


def added(first: Amounts, second: Amounts) -> dict[str, Decimal]:
    """Adds amounts resource by resource."""
    return {name: first.get(name, ZERO) + second.get(name, ZERO) for name in first.keys() | second.keys()}


def _most(first: Amounts, second: Amounts) -> dict[str, Decimal]:
    return {name: max(first.get(name, ZERO), second.get(name, ZERO)) for name in first.keys() | second.keys()}


def _container(container: Mapping[str, Any]) -> dict[str, Decimal]:
    """A limit without a request is a request."""
    resources = container.get("resources") or {}
    return {**amounts(resources.get("limits")), **amounts(resources.get("requests"))}
