"""What a rollout will do, without a cluster: its steps, the most pods and GPUs at once, and how long it takes."""

from __future__ import annotations

from dataclasses import dataclass

from sentinel_operator.api.analysis import AnalysisSpec, measurements
from sentinel_operator.api.fields import seconds
from sentinel_operator.api.rollout import RolloutSpec
from sentinel_operator.core.rollout.arithmetic import share
from sentinel_operator.core.rollout.instructions import Ask, Hold, Instruction, Judge, Roll, Settle, told
from sentinel_operator.core.rollout.limits import limits
from sentinel_operator.core.rollout.observed import Observed, RevisionView, State
from sentinel_operator.core.rollout.program import Posture, chosen, compiled, posture, surge
from sentinel_operator.core.rollout.replicas import candidate_count
from sentinel_operator.core.rollout.routes import Provider

DEFAULT_ANALYSIS_SECONDS = 150.0
"""Of an analysis without metrics: five measurements, one every 30 s."""
OLD, NEW = "old", "new"


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastStep:
    """One step, if nothing fails."""

    text: str
    weight: int
    """Percent of the requests that the new revision is expected to get."""
    stable_pods: int
    candidate_pods: int
    pods: int
    """At most, at once."""
    gpus: int
    seconds: float | None
    """None: until a person, or a gate, lets it go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The whole way."""

    strategy: str
    steps: tuple[ForecastStep, ...]
    peak_pods: int
    peak_gpus: int
    seconds: float
    """Without what waits for a person or a gate."""
    waits: int
    """How many steps wait for a person or a gate."""


def forecast(
    spec: RolloutSpec,
    *,
    wanted: int,
    first: bool = False,
    provider: Provider = "Service",
    gpus_a_pod: int = 0,
    pod_start: float = 30.0,
    spare: bool | None = None,
    swappable: bool = False,
) -> Forecast:
    """Gives what the delivery of a new revision will do. `first`: nothing serves yet. `pod_start` is in seconds."""
    strategy = "Initial" if first else chosen(spec.strategy, spare=spare, swappable=swappable)
    observed = _imagined(spec, strategy, wanted=wanted, provider=provider)
    program = compiled(spec, strategy, wanted=wanted)
    full = strategy == "BlueGreen" or surge(spec, strategy, wanted=wanted) >= wanted
    steps: list[ForecastStep] = []
    before = 0
    for index, instruction in enumerate(program.steps):
        demanded = posture(program, index)
        stable, candidate, peak = _pods(observed, demanded, full=full)
        steps.append(
            ForecastStep(
                text=told(instruction),
                weight=_weight(observed, demanded, stable=stable, candidate=candidate, full=full),
                stable_pods=stable,
                candidate_pods=candidate,
                pods=peak,
                gpus=peak * gpus_a_pod,
                seconds=_seconds(observed, instruction, pod_start if candidate > before else 0.0),
            )
        )
        before = candidate
    most = max((step.pods for step in steps), default=wanted)
    return Forecast(
        strategy=strategy,
        steps=tuple(steps),
        peak_pods=most,
        peak_gpus=most * gpus_a_pod,
        seconds=sum(step.seconds or 0.0 for step in steps),
        waits=sum(step.seconds is None for step in steps),
    )


def _imagined(spec: RolloutSpec, strategy: str, *, wanted: int, provider: Provider) -> Observed:
    serving = RevisionView(id=OLD, replicas=wanted, ready=wanted, endpoints=wanted)
    first = strategy == "Initial"
    state = State(stable="" if first else OLD, candidate=NEW, strategy=strategy)
    return Observed(
        spec=spec,
        wanted=wanted,
        target=NEW,
        state=state,
        revisions={} if first else {OLD: serving},
        provider=provider,
    )


def _pods(observed: Observed, demanded: Posture, *, full: bool) -> tuple[int, int, int]:
    """Gives stable's pods, the candidate's, and the most at once, at the end of a step."""
    wanted = observed.wanted
    match demanded.mode:
        case "Weighted":
            count = candidate_count(observed, demanded, full=full)
            return wanted, count, wanted + count
        case "Swap":
            return wanted, 0, wanted
        case "Roll":
            return 0, wanted, wanted + limits(observed).surge
        case _:
            return 0, wanted, wanted


def _weight(observed: Observed, demanded: Posture, *, stable: int, candidate: int, full: bool) -> int:
    if demanded.mode == "Swap":
        return 100 if demanded.flipped else 0
    if demanded.mode != "Weighted" or ((demanded.weight or 0) >= 100 and full):
        return 100
    if not demanded.weight:
        return 0
    if observed.provider == "Service":
        return share(candidate, of=stable + candidate)
    return min(demanded.weight, 100 * candidate // max(1, observed.wanted))


def _seconds(observed: Observed, instruction: Instruction, start: float) -> float | None:
    match instruction:
        case Hold(limit):
            return limit
        case Ask():
            return None
        case Judge(analysis, at_least):
            return max(at_least, _analysis(analysis))
        case Settle(limit):
            return limit
        case Roll():
            allowed = limits(observed)
            batch = max(1, allowed.surge + allowed.unavailable)
            return start * -(-observed.wanted // batch)
        case _:
            return start


def _analysis(analysis: AnalysisSpec) -> float:
    if not analysis.metrics:
        return DEFAULT_ANALYSIS_SECONDS
    return max(
        seconds(check.initial_delay) + measurements(check) * seconds(check.interval) for check in analysis.metrics
    )
