"""What a pod costs an hour, by the operator's own price table: what it asks for, at the rate of its node."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sentinel_operator.api.fields import quantity
from sentinel_operator.api.sentinelconfig import Prices, Rate
from sentinel_operator.core.policy.facts import Requests

GPU_RESOURCES = ("nvidia.com/gpu",)
_GIB = Decimal(1024**3)


def cost_per_hour(requests: Requests, node_labels: Mapping[str, str], prices: Prices | None) -> Decimal | None:
    """Gives what a pod costs on a node with the labels; None where that is not known."""
    if prices is None:
        return None
    rate = _rate(node_labels, prices)
    if requests.gpus and rate.gpu_hour is None:
        return None
    parts = (
        (requests.cpu_cores, rate.cpu_hour),
        (requests.memory_gi, rate.memory_gib_hour),
        (requests.gpus, rate.gpu_hour or 0.0),
    )
    return sum((amount * Decimal(str(price)) for amount, price in parts), Decimal(0))


def requests_of(pod_spec: Mapping[str, Any], prices: Prices | None) -> Requests:
    """Gives what a pod asks for: its containers together, or one init container where that asks for more."""
    gpus = tuple((prices.gpu_resources if prices is not None else None) or GPU_RESOURCES)
    running = [_of(each, gpus) for each in pod_spec.get("containers") or ()]
    running += [_of(each, gpus) for each in pod_spec.get("initContainers") or () if each.get("restartPolicy")]
    starting = [_of(each, gpus) for each in pod_spec.get("initContainers") or () if not each.get("restartPolicy")]
    return Requests(
        cpu_cores=max([sum((each.cpu_cores for each in running), Decimal(0)), *(each.cpu_cores for each in starting)]),
        memory_gi=max([sum((each.memory_gi for each in running), Decimal(0)), *(each.memory_gi for each in starting)]),
        gpus=max([sum((each.gpus for each in running), Decimal(0)), *(each.gpus for each in starting)]),
    )


def _of(container: Mapping[str, Any], gpus: tuple[str, ...]) -> Requests:
    resources = container.get("resources") or {}
    asked = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return Requests(
        cpu_cores=quantity(asked.get("cpu", 0)),
        memory_gi=quantity(asked.get("memory", 0)) / _GIB,
        gpus=sum((quantity(asked.get(name, 0)) for name in gpus), Decimal(0)),
    )


def _rate(labels: Mapping[str, str], prices: Prices) -> Rate | Prices:
    return next(
        (each for each in prices.rates or () if (each.node_selector or {}).items() <= dict(labels).items()), prices
    )
