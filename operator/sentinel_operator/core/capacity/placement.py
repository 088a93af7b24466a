"""Which nodes may bear a pod: node selector, required node affinity and tolerations against labels and taints."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sentinel_operator.core.capacity.requests import Amounts, amounts
from sentinel_operator.core.plan import Manifest

_REPELS = frozenset({"NoSchedule", "NoExecute"})
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node that takes new pods, with all that decides which."""

    name: str
    allocatable: Amounts
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Mapping[str, str], ...] = ()


def node_of(raw: Manifest) -> Node | None:
    """Reads a node; None for one that takes no new pods: cordoned, not ready, or on its way out."""
    metadata, spec, status = raw["metadata"], raw.get("spec") or {}, raw.get("status") or {}
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions") or ())
    if spec.get("unschedulable") or not ready or metadata.get("deletionTimestamp"):
        return None
    return Node(
        name=metadata["name"],
        allocatable=amounts(status.get("allocatable")),
        labels=metadata.get("labels") or {},
        taints=tuple(each for each in spec.get("taints") or () if each.get("effect") in _REPELS),
    )


def admits(node: Node, spec: Manifest) -> bool:
    """Tells whether a node may bear the pod of a spec, whatever room there is."""
    wanted = (spec.get("nodeSelector") or {}).items()
    tolerations = spec.get("tolerations") or ()
    return (
        all(node.labels.get(key) == value for key, value in wanted)
        and _attracts(node, spec)
        and all(any(_tolerates(each, taint) for each in tolerations) for taint in node.taints)
    )


def _attracts(node: Node, spec: Manifest) -> bool:
    affinity = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(REQUIRED)
    if affinity is None:
        return True
    return any(_matches(node, term) for term in affinity.get("nodeSelectorTerms") or ())


def _matches(node: Node, term: Mapping[str, Any]) -> bool:
    """All of a term has to hold; an empty one never does."""
    labels, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not labels and not fields:
        return False
    return _all(labels, node.labels) and _all(fields, {"metadata.name": node.name})


def _all(expressions: Sequence[Mapping[str, Any]], found: Mapping[str, str]) -> bool:
    return all(
        OPERATORS.get(str(each.get("operator")), _never)(found.get(str(each["key"])), each.get("values") or ())
        for each in expressions
    )


def _compared(holds: Callable[[int, int], bool]) -> Callable[[str | None, Sequence[str]], bool]:
    """Compares integers; where one side is none it does not hold."""

    def compare(value: str | None, values: Sequence[str]) -> bool:
        found, bound = _integer(value), _integer(values[0] if values else None)
        return found is not None and bound is not None and holds(found, bound)

    return compare


def _integer(text: str | None) -> int | None:
    try:
        return int(str(text))
    except ValueError:
        return None


def _never(value: str | None, values: Sequence[str]) -> bool:  # noqa: ARG001 - an operator's
    return False


OPERATORS: Mapping[str, Callable[[str | None, Sequence[str]], bool]] = {
    "In": lambda value, values: value in values,
    "NotIn": lambda value, values: value not in values,
    "Exists": lambda value, _: value is not None,
    "DoesNotExist": lambda value, _: value is None,
    "Gt": _compared(operator.gt),
    "Lt": _compared(operator.lt),
}
"""Of node affinity; one that is not known holds nowhere."""


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, str]) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint.get("key"):
        return False
    match toleration.get("operator") or "Equal":
        case "Exists":
            return True
        case "Equal":
            return bool(toleration.get("key")) and (toleration.get("value") or "") == (taint.get("value") or "")
        case _:
            return False
