"""Which pods leave a node when it is drained, as `kubectl drain` has it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from sentinel_operator.core.plan import Evict, Manifest, ObjectRef

_MIRROR = "kubernetes.io/config.mirror"
_OVER = ("Succeeded", "Failed")


def leaves(pod: Manifest) -> bool:
    """Tells whether a pod is one that has to go: not what a DaemonSet or the kubelet itself keeps there, nor what has
    ended already."""
    metadata = pod["metadata"]
    if _MIRROR in (metadata.get("annotations") or {}):
        return False
    if any(
        each.get("kind") == "DaemonSet" and each.get("controller") for each in metadata.get("ownerReferences") or ()
    ):
        return False
    return (pod.get("status") or {}).get("phase") not in _OVER


def on(node: str, pods: Iterable[Manifest]) -> Iterator[Manifest]:
    """Yields the pods of a node."""
    yield from (each for each in pods if (each.get("spec") or {}).get("nodeName") == node)


def evictions(pods: Iterable[Manifest], *, not_after: datetime) -> tuple[Evict, ...]:
    """Gives the requests for pods to leave; one that is on its way out already needs none."""
    staying = (each for each in pods if not each["metadata"].get("deletionTimestamp"))
    return tuple(
        Evict(ObjectRef.of({"apiVersion": "v1", "kind": "Pod", **each}, pinned=True), not_after) for each in staying
    )
