"""The room that is left on the nodes, and whether a pod finds a place in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from sentinel_operator.core.capacity.placement import REQUIRED, Node, admits
from sentinel_operator.core.capacity.requests import ZERO, Amounts, added, requests_of
from sentinel_operator.core.plan import Manifest

_POD = {"pods": Decimal(1)}
_ENDED = frozenset({"Succeeded", "Failed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """The nodes of a cluster, and what their pods ask of each."""

    nodes: tuple[Node, ...] = ()
    used: Mapping[str, Amounts] = field(default_factory=dict)

    def fits(self, node: Node, asked: Amounts) -> bool:
        """Tells whether so much is left on a node."""
        used = self.used.get(node.name, {})
        return all(node.allocatable.get(name, ZERO) - used.get(name, ZERO) >= amount for name, amount in asked.items())

    def with_pod(self, node: Node, asked: Amounts) -> Room:
        """Gives the room that is left when a node bears that as well."""
        return replace(self, used={**self.used, node.name: added(self.used.get(node.name, {}), asked)})


def load_of(pod: Manifest) -> tuple[str, dict[str, Decimal]] | None:
    """Gives the node that bears a pod and what the pod asks of it; None for one that has ended or has no node."""
    node = (pod.get("spec") or {}).get("nodeName")
    if not node or (pod.get("status") or {}).get("phase") in _ENDED:
        return None
    return str(node), added(requests_of(pod["spec"]), _POD)


def placed(room: Room, spec: Manifest) -> tuple[bool | None, Room]:
    """Tells whether a pod finds room, and gives the room that it leaves.

    None where that is not known: no node is seen at all, or there would be room, but what the pod demands beyond
    resources, node labels and taints decides. Not reckoned with are pods that wait for a node themselves, those that
    the pod's priority would drive out, and nodes that an autoscaler would add.
    """
    if not room.nodes or spec.get("runtimeClassName"):  # which may add to requests, selectors and tolerations
        return None, room
    asked = added(requests_of(spec), _POD)
    found = next((node for node in room.nodes if admits(node, spec) and room.fits(node, asked)), None)
    if found is None:
        return False, room
    return (None, room) if demanding(spec) else (True, room.with_pod(found, asked))


def demanding(spec: Manifest) -> bool:
    """Tells whether a pod demands what is not judged here: other pods near or far, volumes, ports of the node."""
    affinity = spec.get("affinity") or {}
    spread = spec.get("topologySpreadConstraints") or ()
    containers = spec.get("containers") or ()
    return (
        any((affinity.get(each) or {}).get(REQUIRED) for each in ("podAffinity", "podAntiAffinity"))
        or any(each.get("whenUnsatisfiable") != "ScheduleAnyway" for each in spread)
        or any("persistentVolumeClaim" in each or "ephemeral" in each for each in spec.get("volumes") or ())
        or any(port.get("hostPort") for each in containers for port in each.get("ports") or ())
        or bool(spec.get("resourceClaims") or spec.get("schedulingGates") or spec.get("hostNetwork"))
    )


def room_of(nodes: Iterable[Node], loads: Iterable[tuple[str, Amounts]]) -> Room:
    """Puts nodes and pods together; a pod on a node that takes no more does not matter."""
    used: dict[str, dict[str, Decimal]] = {}
    for node, amounts in loads:
        used[node] = added(used.get(node, {}), amounts)
    return Room(nodes=tuple(sorted(nodes, key=lambda each: each.name)), used=used)
