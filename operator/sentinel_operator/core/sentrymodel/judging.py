"""The analysis that a delivery wants: what was measured goes in, a verdict and what to measure next come out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sentinel_operator.api.analysis import AnalysisStatus
from sentinel_operator.core.analysis.health import health_score
from sentinel_operator.core.analysis.measurement import Measurement
from sentinel_operator.core.analysis.progress import Task, advance, due, resume
from sentinel_operator.core.analysis.state import FINAL
from sentinel_operator.core.analysis.subject import Subject, Target
from sentinel_operator.core.plan import Manifest, Measuring
from sentinel_operator.core.rollout.decision import AnalysisWanted
from sentinel_operator.core.rollout.observed import State
from sentinel_operator.core.sentrymodel.gpus import revision_gpu_health
from sentinel_operator.core.sentrymodel.jobs import JobView, desired_job, measured_by, name_of, patience
from sentinel_operator.core.sentrymodel.observe import Observed, PodView

ASK_AGAIN_SECONDS = 2.0
"""A measurement that is under way calls for a pass when it is there; this is for one that could not be begun."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Where the analysis stands, what has to be measured for it, and when time alone changes that."""

    status: AnalysisStatus
    measuring: Measuring
    look_again: float | None
    jobs: tuple[Manifest, ...] = ()
    """Those to be made."""
    current: frozenset[str] = frozenset()
    """Names of the Jobs that measure now, or were read in this pass."""


def judge(observed: Observed, wanted: AnalysisWanted, *, state: State, replicas: int) -> Judgement:
    """Goes on with the run that is wanted; another key is another run."""
    known = observed.status.rollout.analysis if observed.status is not None and observed.status.rollout else None
    run = resume(wanted.spec, known, key=wanted.key, now=observed.now)
    run = advance(wanted.spec, run, observed.outside.measured.get(wanted.revision, {}), observed.now)
    seen = [task for task in due(wanted.spec, run, observed.now).tasks if task.source == "observed"]
    run = advance(
        wanted.spec, run, _seen(observed, state.host_of(wanted.revision), seen, replicas=replicas), observed.now
    )
    read = _named(observed, wanted, due(wanted.spec, run, observed.now).tasks)
    run = advance(wanted.spec, run, _by_jobs(observed, read), observed.now)
    coming = due(wanted.spec, run, observed.now)
    asked = tuple(task for task in coming.tasks if task.source in {"pods", "prometheus", "web"})
    jobs = {} if run.verdict in FINAL else _named(observed, wanted, coming.tasks)
    moments = [(coming.again - observed.now).total_seconds()] if coming.again is not None else []
    moments += [ASK_AGAIN_SECONDS] if asked else []
    views = [observed.jobs[name] for name in jobs if name in observed.jobs]
    moments += [max(1.0, patience(view, observed.now)) for view in views if view.waiting]
    return Judgement(
        run,
        Measuring(_subject(observed, wanted, state), asked),
        min(moments, default=None),
        jobs=tuple(_made(observed, wanted, task) for name, task in jobs.items() if name not in observed.jobs),
        current=frozenset({*read, *jobs}),
    )


def _named(observed: Observed, wanted: AnalysisWanted, tasks: Iterable[Task]) -> dict[str, Task]:
    return {name_of(observed.owner, wanted, task): task for task in tasks if task.check.job is not None}


def _by_jobs(observed: Observed, tasks: Mapping[str, Task]) -> Mapping[str, Measurement]:
    views = {name: observed.jobs.get(name) or _taken(observed, name) for name in tasks}
    found = {task.check.name: measured_by(views[name], task, observed.now) for name, task in tasks.items()}
    return {metric: measured for metric, measured in found.items() if measured is not None}


def _taken(observed: Observed, name: str) -> JobView | None:
    is_stranger = ("Job", name) in observed.strangers
    return JobView(name=name, refused="somebody else has one of that name") if is_stranger else None


def _made(observed: Observed, wanted: AnalysisWanted, task: Task) -> Manifest:
    own = observed.spec.pod.service_account_name if observed.spec is not None else None
    return desired_job(observed.owner, wanted, task, account=own or observed.owner.name)


def _seen(observed: Observed, host: str, tasks: list[Task], *, replicas: int) -> Mapping[str, Measurement]:
    pods = observed.pods.get(host, ())
    found: dict[str, Measurement] = {}
    for task in tasks:
        if task.check.builtin == "health-score":
            ready = observed.ready(host)
            raw = [pod.raw for pod in pods]
            health = health_score(desired=replicas, ready=ready, available=ready, pods=raw, now=observed.now)
        else:
            health = revision_gpu_health(observed, host)
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
