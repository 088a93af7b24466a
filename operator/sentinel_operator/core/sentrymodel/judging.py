"""The analysis that a delivery wants: what was measured goes in, a verdict and what to measure next come out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sentinel_operator.api.analysis import AnalysisStatus
from sentinel_operator.core.analysis.health import gpu_health, health_score
from sentinel_operator.core.analysis.measurement import Measurement
from sentinel_operator.core.analysis.progress import Task, advance, due, resume
from sentinel_operator.core.analysis.subject import Subject, Target
from sentinel_operator.core.plan import Measuring
from sentinel_operator.core.rollout.decision import AnalysisWanted
from sentinel_operator.core.rollout.observed import State
from sentinel_operator.core.sentrymodel.observe import Observed, PodView

ASK_AGAIN_SECONDS = 2.0
"""A measurement that is under way calls for a pass when it is there; this is for one that could not be begun."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Where the analysis stands, what has to be measured for it, and when time alone changes that."""

    status: AnalysisStatus
    measuring: Measuring
    look_again: float | None


def judge(observed: Observed, wanted: AnalysisWanted, *, state: State, replicas: int) -> Judgement:
    """Goes on with the run that is wanted; another key is another run."""
    known = observed.status.rollout.analysis if observed.status is not None and observed.status.rollout else None
    run = resume(wanted.spec, known, key=wanted.key, now=observed.now)
    run = advance(wanted.spec, run, observed.outside.measured.get(wanted.revision, {}), observed.now)
    seen = [task for task in due(wanted.spec, run, observed.now).tasks if task.source == "observed"]
    run = advance(
        wanted.spec, run, _seen(observed, state.host_of(wanted.revision), seen, replicas=replicas), observed.now
    )
    coming = due(wanted.spec, run, observed.now)
    asked = tuple(task for task in coming.tasks if task.source != "observed")
    again = (coming.again - observed.now).total_seconds() if coming.again is not None else None
    if asked:
        again = ASK_AGAIN_SECONDS if again is None else min(again, ASK_AGAIN_SECONDS)
    return Judgement(run, Measuring(_subject(observed, wanted, state), asked), again)


def _seen(observed: Observed, host: str, tasks: list[Task], *, replicas: int) -> Mapping[str, Measurement]:
    pods = observed.pods.get(host, ())
    found: dict[str, Measurement] = {}
    for task in tasks:
        if task.check.builtin == "health-score":
            ready = observed.ready(host)
            raw = [pod.raw for pod in pods]
            health = health_score(desired=replicas, ready=ready, available=ready, pods=raw, now=observed.now)
        else:
            health = gpu_health(())
        found[task.check.name] = health.measured(observed.now)
    return found


def _subject(observed: Observed, wanted: AnalysisWanted, state: State) -> Subject:
    revisions = [revision for revision in (wanted.revision, wanted.baseline) if revision]
    pods = [(pod, each) for each in revisions for pod in observed.pods.get(state.host_of(each), ())]
    return Subject(
        uid=observed.owner.uid,
        namespace=observed.owner.namespace,
        name=observed.owner.name,
        canary=wanted.revision,
        stable=wanted.baseline,
        targets=tuple(_target(pod, revision) for pod, revision in pods if pod.ready and pod.address),
    )


def _target(pod: PodView, revision: str) -> Target:
    return Target(uid=pod.uid, name=pod.name, revision=revision, address=pod.address)
