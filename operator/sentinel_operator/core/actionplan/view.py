"""A target as it is in the cluster now, with what hangs on it: read for this very pass, not remembered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sentinel_operator.core.levels.measured import Telemetry
from sentinel_operator.core.plan import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetView:
    """One target. `raw` is None where there is no such object."""

    raw: Manifest | None
    pods: tuple[Manifest, ...] = ()
    """Of a workload those that it controls, directly or through others of its own; of a Node those that are on it."""
    revisions: tuple[Manifest, ...] = ()
    """Of a Deployment its ReplicaSets, of a StatefulSet its ControllerRevisions."""
    deployments: tuple[Manifest, ...] = ()
    """Of a SentryModel its Deployments."""
    autoscaler: str = ""
    """Name of the HorizontalPodAutoscaler that scales it."""
    telemetry: Telemetry | None = None
    """How it has been doing; None as long as nobody has looked, which is done only where a policy asks."""


def spec_of(raw: Manifest) -> Mapping[str, Any]:
    """Gives the spec, empty where there is none."""
    found = raw.get("spec")
    return found if isinstance(found, Mapping) else {}


def status_of(raw: Manifest) -> Mapping[str, Any]:
    """Gives the status, empty where there is none."""
    found = raw.get("status")
    return found if isinstance(found, Mapping) else {}


def wanted_replicas(raw: Manifest) -> int:
    """Gives how many replicas are wanted: absent means 1, for every kind that has them."""
    found = spec_of(raw).get("replicas")
    return 1 if found is None else int(found)


def is_current(raw: Manifest) -> bool:
    """Tells whether whoever looks after the object has seen its newest spec."""
    seen, newest = status_of(raw).get("observedGeneration"), raw["metadata"].get("generation")
    return newest is None or (seen is not None and int(seen) >= int(newest))


def owned_by(raw: Manifest) -> str:
    """Names the controller that looks after the object's spec; empty where that is nobody but people."""
    for each in raw["metadata"].get("ownerReferences") or ():
        if each.get("controller"):
            return f"{each.get('kind')} {each.get('name')}"
    return ""
