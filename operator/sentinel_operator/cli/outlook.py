"""What a change of a model will do: whether it is delivered, by which steps, with how many pods, and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sentinel_operator.api.sentrymodel import SentryModelSpec, SentryModelStatus
from sentinel_operator.cli.change import Declaration, Difference, differences
from sentinel_operator.core.rollout.forecast import Forecast, ForecastStep, forecast
from sentinel_operator.core.rollout.instructions import Judge
from sentinel_operator.core.rollout.intent import Deliver, Intent, Rest, effective_target, intend
from sentinel_operator.core.rollout.observed import Observed, State
from sentinel_operator.core.rollout.program import compiled
from sentinel_operator.core.sentrymodel.containers import server_resources
from sentinel_operator.core.sentrymodel.memory import remembered_records, remembered_state


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """Everything that `plan` tells of one model."""

    new: Declaration
    old: Declaration | None
    target: str
    """The revision that it asks for."""
    former: str
    """The one that was asked for before; empty where there was none."""
    changed: Sequence[Difference]
    replaces: str
    """The revision that serves now, or an empty string."""
    ends: str
    """The revision whose rollout this ends."""
    restarts: bool
    """The rollout under way starts again, as its steps were edited."""
    intent: Intent
    wanted: int
    serving: int | None
    """Ready pods of stable, where that is known."""
    forecast: Forecast | None
    """None where nothing is delivered."""


def outlook(
    new: Declaration,
    old: Declaration | None,
    *,
    status: SentryModelStatus | None = None,
    known: str = "",
    compared: bool = True,
    now: float = 0.0,
    pod_start: float = 30.0,
) -> Outlook:
    """Foresees a change. `status` is what the cluster says of the model, `known` its operator's own name of what is
    asked for now: one of another release may give another. Without `compared`, any other revision is taken to serve."""
    spec, target = new.spec, new.revision
    former = known or old.revision if old is not None else ""
    if old is not None and target == old.revision:
        target = former
    stable = former or ("" if compared else "another")
    state = remembered_state(status) if status is not None else State(stable=stable)
    wanted = _wanted(spec, status)
    seen = Observed(
        spec=spec.rollout,
        wanted=wanted,
        target=target,
        state=state,
        history=remembered_records(status),
        provider=spec.routing.provider,
        autoscaled=spec.autoscaling is not None,
        swappable=True,
        now=now,
    )
    ends = state.candidate if state.candidate and state.candidate != effective_target(seen) else ""
    if ends:
        seen = replace(seen, state=replace(state, candidate=""))
    intent = intend(seen)
    return Outlook(
        new=new,
        old=old,
        target=target,
        former=former,
        changed=differences(old, new) if old is not None else (),
        replaces=state.stable,
        ends=ends,
        restarts=isinstance(intent, Deliver) and _restarts(seen),
        intent=intent,
        wanted=wanted,
        serving=status.stable.ready_replicas if status is not None and status.stable is not None else None,
        forecast=_foreseen(seen, intent, spec, pod_start=pod_start),
    )


def gpus(spec: SentryModelSpec) -> int:
    """Gives the GPUs (or slices of one) that a pod asks for."""
    limits = server_resources(spec).get("limits") or {}
    return sum(int(count) for name, count in limits.items() if name.endswith("/gpu") or "/mig-" in name)


def _wanted(spec: SentryModelSpec, status: SentryModelStatus | None) -> int:
    if spec.autoscaling is None:
        return 1 if spec.replicas is None else spec.replicas
    now = status.stable.ready_replicas if status is not None and status.stable is not None else 0
    return min(max(now, spec.autoscaling.min), spec.autoscaling.max)


def _restarts(seen: Observed) -> bool:
    state = seen.state
    program = compiled(seen.spec, state.strategy, wanted=seen.count, fast=state.fast)
    return not state.fast and program.mark != state.plan


def _foreseen(seen: Observed, intent: Intent, spec: SentryModelSpec, *, pod_start: float) -> Forecast | None:
    if isinstance(intent, Rest):
        return None
    strategy = seen.state.strategy if isinstance(intent, Deliver) else intent.strategy
    fast = seen.state.fast if isinstance(intent, Deliver) else intent.fast
    first = strategy == "Initial"
    found = forecast(
        spec.rollout if first else spec.rollout.model_copy(update={"strategy": strategy}),
        wanted=seen.wanted,
        first=first,
        provider=seen.provider,
        gpus_a_pod=gpus(spec),
        pod_start=pod_start,
        swappable=True,
    )
    return _takeover(found, seen, strategy, pod_start=pod_start) if fast and not first else found


def _takeover(found: Forecast, seen: Observed, strategy: str, *, pod_start: float) -> Forecast:
    """Leaves what is left when steps and analyses are skipped; its pods start in what is the first step then."""
    program = compiled(seen.spec, strategy, wanted=seen.count)
    steps: tuple[ForecastStep, ...] = tuple(
        step
        for step, instruction in zip(found.steps[program.tail :], program.steps[program.tail :], strict=True)
        if not isinstance(instruction, Judge)
    )
    if steps[0].seconds == 0 and steps[0].candidate_pods:
        steps = (replace(steps[0], seconds=pod_start), *steps[1:])
    return replace(
        found,
        steps=steps,
        peak_pods=max(step.pods for step in steps),
        peak_gpus=max(step.gpus for step in steps),
        seconds=sum(step.seconds or 0.0 for step in steps),
        waits=sum(step.seconds is None for step in steps),
    )
