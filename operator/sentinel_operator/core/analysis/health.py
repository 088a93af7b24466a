"""How healthy a revision's pods are, from 1 to 0. 0.8 is what a rollout asks for.

Corrected against the score that it follows: a revision that shall have no pods has no score, instead of half of one;
the ready share counts from the first missing pod on, without a step at 0.8; trouble weighs by the share of pods that
have it, where one of a hundred weighed as much as all; and restarts count while they are recent, not for a lifetime.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sentinel_operator.core.analysis.measurement import Measurement

RECENT = timedelta(minutes=10)
_TROUBLE_WEIGHT = 0.5
_UNAVAILABLE_WEIGHT = 0.9
_UNAVAILABLE_BELOW = 0.8
_STUCK = frozenset(
    {
        *("CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName"),
        *("CreateContainerConfigError", "CreateContainerError", "RunContainerError"),
    }
)


@dataclass(frozen=True, slots=True)
class Health:
    """A score and what lowered it. NaN where there is nothing to judge."""

    score: float
    message: str

    def measured(self, at: datetime) -> Measurement:
        """Gives it as a measurement of the pass that observed it."""
        return Measurement(at=at, value=self.score, note=self.message)


def health_score(
    *, desired: int, ready: int, available: int, pods: Sequence[Mapping[str, Any]], now: datetime
) -> Health:
    """Scores the pods of one revision; `pods` are Kubernetes' own, those that are being deleted do not count."""
    if desired <= 0:
        return Health(math.nan, "no pod is wanted")
    score, reasons = min(ready, desired) / desired, []
    if ready < desired:
        reasons.append(f"{ready} of {desired} pods ready")
    if available / desired < _UNAVAILABLE_BELOW and ready >= desired:
        score *= _UNAVAILABLE_WEIGHT
        reasons.append(f"{available} of {desired} available")
    alive = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    troubles = [trouble for pod in alive if (trouble := pod_trouble(pod, now=now))]
    if troubles:
        score *= 1 - _TROUBLE_WEIGHT * len(troubles) / len(alive)
        reasons.append(f"{len(troubles)} in trouble ({troubles[0]})")
    return Health(score, ", ".join(reasons) or f"{ready} of {desired} pods ready")


def pod_trouble(pod: Mapping[str, Any], *, now: datetime) -> str:
    """Names the trouble that a pod is in or was in until just now; empty where there is none."""
    status = pod.get("status") or {}
    if status.get("phase") in {"Failed", "Unknown"}:
        return str(status.get("reason") or status["phase"])
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        waiting = ((container.get("state") or {}).get("waiting") or {}).get("reason", "")
        if waiting in _STUCK:
            return str(waiting)
        ended = (container.get("lastState") or {}).get("terminated") or {}
        if container.get("restartCount", 0) > 0 and _is_recent(ended.get("finishedAt"), now):
            return f"{ended.get('reason') or 'restarted'}, {container['restartCount']} restarts"
    return ""


def _is_recent(finished: object, now: datetime) -> bool:
    try:
        return now - datetime.fromisoformat(str(finished)) <= RECENT
    except (ValueError, TypeError):
        return False


def gpu_health(healthy: Iterable[bool]) -> Health:
    """Gives the share of a revision's GPUs that are healthy; NaN where none is known."""
    known = list(healthy)
    if not known:
        return Health(math.nan, "no telemetry of its GPUs")
    return Health(sum(known) / len(known), f"{sum(known)} of {len(known)} GPUs healthy")
