"""What pods of a model tell of it: where they can be asked, and since when one of them has been ready."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from datetime import datetime

from sentinel_operator.core.analysis.subject import Target
from sentinel_operator.core.conditions import parse_time
from sentinel_operator.core.plan import Manifest

_COMPONENT = "app.kubernetes.io/component"
_SERVER = "server"


def listening(pods: Iterable[Manifest]) -> tuple[Target, ...]:
    """Gives those that are ready, whichever revision they are of."""
    return tuple(
        Target(uid=pod["metadata"]["uid"], name=pod["metadata"]["name"], revision="", address=address)
        for pod, _ in _ready(pods)
        if _is_address(address := str((pod.get("status") or {}).get("podIP") or ""))
    )


def ready_since(pods: Iterable[Manifest]) -> datetime | None:
    """Gives the moment since which one of them has been ready without a break, as its node says; None where none is.
    A node tells of every break, whether an operator looks or not."""
    return min((at for _, at in _ready(pods) if at is not None), default=None)


def _ready(pods: Iterable[Manifest]) -> Iterator[tuple[Manifest, datetime | None]]:
    for pod in pods:
        metadata = pod["metadata"]
        if metadata.get("deletionTimestamp") or (metadata.get("labels") or {}).get(_COMPONENT) != _SERVER:
            continue
        for each in (pod.get("status") or {}).get("conditions") or ():
            if each.get("type") == "Ready" and each.get("status") == "True":
                yield pod, parse_time(str(each.get("lastTransitionTime") or "-"))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
