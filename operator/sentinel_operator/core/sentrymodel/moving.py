"""Pods leave GPUs that have failed: which of them, when, and that another one answers before the last of them goes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sentinel_operator.api.sentrymodel import SentryModelSpec
from sentinel_operator.core.conditions import parse_time
from sentinel_operator.core.plan import Evict, ObjectRef
from sentinel_operator.core.rollout.observed import Observed as RolloutObserved
from sentinel_operator.core.sentrymodel.observe import Observed, PodView

SETTLING = timedelta(seconds=30)
"""A pod that is younger is left alone: one that comes back to the same broken GPU is not moved without end."""
PATIENCE = timedelta(minutes=5)
"""How long the last pod that answers waits for another one that takes its place, before it leaves all the same."""
EVICT_AGAIN_SECONDS = 5.0
"""What a budget forbids now, it may allow when another pod is ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """What becomes of the pods on GPUs that are not to be worked with."""

    leaving: tuple[Evict, ...] = ()
    waiting: frozenset[str] = frozenset()
    """Names of those that leave once another one answers in their place."""
    look_again: float | None = None
    """Seconds until time alone makes a difference."""


def moves(observed: Observed, spec: SentryModelSpec, view: RolloutObserved) -> Moves:
    """Gives the pods that have to leave now. The API server evicts none of them beyond the budget for disruptions;
    where there is none, the last that answers stays until another one does."""
    if _kept_by_user(spec):
        return Moves()
    struck = tuple(_struck(observed))
    due = sorted((pod for pod, since in struck if since <= observed.now), key=lambda each: each.name)
    sick = [pod for pod in due if pod.ready and pod.revision == view.state.base]
    deadline = _deadline(observed, view)
    waiting: list[PodView] = []
    if _unguarded(view) and (deadline is None or deadline > observed.now):
        waiting = sick[max(0, view.base.serving - 1) :]
    staying = frozenset(pod.name for pod in waiting)
    moments = [since for _, since in struck if since > observed.now]
    moments += [deadline] if waiting and deadline is not None else []
    left = [max(1.0, (each - observed.now).total_seconds()) for each in moments]
    return Moves(
        leaving=tuple(
            Evict(ObjectRef("v1", "Pod", observed.owner.namespace, pod.name, uid=pod.uid))
            for pod in due
            if pod.name not in staying
        ),
        waiting=staying,
        look_again=min([*left, *([EVICT_AGAIN_SECONDS] if len(due) > len(staying) else [])], default=None),
    )


def spare_pods(observed: Observed, spec: SentryModelSpec, view: RolloutObserved) -> int:
    """Gives how many pods there should be beside the wanted ones: one, from when the last that answers has to leave
    its GPU until it has ended. Were the number lowered before, it could be the new one that goes."""
    if _kept_by_user(spec) or not _unguarded(view):
        return 0
    sick = _sick(observed, view)
    begins = bool(sick) and view.base.ready == len(sick)
    ending = any(each.health == "Failed" for each in observed.gpus_left)
    goes_on = view.base.replicas > view.wanted and (bool(sick) or ending)
    return 1 if begins or goes_on else 0


def _kept_by_user(spec: SentryModelSpec) -> bool:
    return spec.disruption is not None and not spec.disruption.move_off_failed_gpus


def _unguarded(view: RolloutObserved) -> bool:
    """Tells whether it is upon us that somebody answers: no budget sees to it, no autoscaler has the number of pods,
    and no delivery is under way."""
    budget = view.wanted >= 2 and view.min_available >= 1
    others = view.autoscaled or view.autoscaler or view.state.candidate
    return view.wanted > 0 and not budget and not others


def _sick(observed: Observed, view: RolloutObserved) -> list[PodView]:
    """Gives the pods of what serves that answer, and have to leave now."""
    due = [pod for pod, since in _struck(observed) if since <= observed.now]
    return [pod for pod in due if pod.ready and pod.revision == view.state.base]


def _deadline(observed: Observed, view: RolloutObserved) -> datetime | None:
    """Gives until when another pod is waited for; None as long as it is not there yet."""
    found = observed.deployments.get(view.state.base)
    if found is not None and found.fault is not None:
        return observed.now
    struck = {pod.uid for pod, _ in _struck(observed)}
    coming = [pod for pod in observed.pods.get(view.state.base, ()) if not pod.ready and pod.uid not in struck]
    created = [moment for pod in coming if (moment := _created(pod)) is not None]
    return min(created) + PATIENCE if created else None


def _struck(observed: Observed) -> Iterator[tuple[PodView, datetime]]:
    """Yields the pods on a GPU that has failed, each with the moment from which on it may be moved."""
    failed = {each.pod_uid for each in observed.gpus if each.health == "Failed"}
    for pod in (pod for pods in observed.pods.values() for pod in pods if pod.uid in failed):
        created = _created(pod)
        if created is not None:
            yield pod, created + SETTLING


def _created(pod: PodView) -> datetime | None:
    return parse_time(str(pod.raw["metadata"].get("creationTimestamp") or ""))
