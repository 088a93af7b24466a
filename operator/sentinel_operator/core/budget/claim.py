"""What an object claims of the change budget, read from nothing but itself: a restart loses no slot and no place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from sentinel_operator.core.conditions import parse_time
from sentinel_operator.core.plan import Manifest

ClaimState = Literal["Holds", "Waits", "Rests"]
_READY = "Ready"
_DEFAULT_RESOURCE = "nvidia.com/gpu"


class Claimant(NamedTuple):
    """Names an object that has rollouts."""

    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, raw: Manifest) -> Claimant:
        """Names a raw object."""
        return cls(raw["kind"], raw["metadata"].get("namespace") or "", raw["metadata"]["name"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A slot that is held, or waited for since a moment (whole seconds since the epoch)."""

    who: Claimant
    priority: int = 0
    since: int = 0
    gpu_class: str = ""
    """Empty for what asks for no GPU."""

    @property
    def rank(self) -> tuple[int, int, Claimant]:
        """Orders those that wait: the highest priority first, then the oldest."""
        return -self.priority, self.since, self.who


def claimed(raw: Manifest, *, gpu_class_label: str) -> tuple[ClaimState, Claim]:
    """Gives what an object claims, as its status tells it; tolerates a spec and a status that do not validate.

    A rollout holds a slot until its candidate has taken over or is given up, and so also while it is paused, stalled
    or suspended: it is in the middle of a change, and goes on without asking. The first rollout of all holds none.
    Since when one waits is not written down by itself: it is since when it has not been ready.
    """
    spec, status = _map(raw.get("spec")), _map(raw.get("status"))
    rollout = _map(status.get("rollout"))
    claim = Claim(
        who=Claimant.of(raw),
        priority=_priority(spec),
        since=_since(raw, status),
        gpu_class=gpu_class(spec, label=gpu_class_label),
    )
    if raw["metadata"].get("deletionTimestamp") or not rollout.get("stable"):
        return "Rests", claim
    if rollout.get("candidate"):
        return "Holds", claim
    waits = rollout.get("phase") == "Waiting" and not spec.get("suspend")
    return ("Waits" if waits else "Rests"), claim


def gpu_class(spec: Mapping[str, Any], *, label: str) -> str:
    """Gives the class of the GPUs that pods of a spec ask for: what their nodeSelector says of the label that tells
    classes apart, and otherwise the resource. Empty where no GPU is asked for."""
    gpu = _map(spec.get("runtime")).get("gpu")
    if gpu is None:
        return ""
    resource = _map(gpu).get("resourceName") or _DEFAULT_RESOURCE
    return str(_map(_map(spec.get("pod")).get("nodeSelector")).get(label) or resource)


def _priority(spec: Mapping[str, Any]) -> int:
    found = _map(spec.get("rollout")).get("priority")
    return found if isinstance(found, int) else 0


def _since(raw: Manifest, status: Mapping[str, Any]) -> int:
    conditions = status.get("conditions")
    for each in conditions if isinstance(conditions, list) else ():
        if _map(each).get("type") == _READY and each.get("status") != "True":
            return _moment(each.get("lastTransitionTime"))
    return _moment(raw["metadata"].get("creationTimestamp"))


def _moment(text: object) -> int:
    found = parse_time(text) if isinstance(text, str) and text else None
    return int(found.timestamp()) if found is not None else 0


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
