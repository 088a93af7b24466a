"""What a step of a rollout demands of pods, routing and autoscaler, as things are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sentinel_operator.core.rollout.dataplane import observed_weight
from sentinel_operator.core.rollout.instructions import Instruction, Program, Replace, Roll, told
from sentinel_operator.core.rollout.observed import Observed
from sentinel_operator.core.rollout.program import Posture, compiled, posture, surge
from sentinel_operator.core.rollout.replicas import candidate_count, delivering_replicas
from sentinel_operator.core.rollout.routes import Routes
from sentinel_operator.core.rollout.routing import wanted_routes


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One pass over one step."""

    observed: Observed
    program: Program
    index: int
    demanded: Posture
    count: int
    """Pods of the candidate that the step demands."""
    routes: Routes
    replicas: Mapping[str, int]

    @property
    def step(self) -> Instruction:
        """Gives the instruction that is under way."""
        return self.program.steps[self.index]


def examined(observed: Observed) -> Delivery:
    """Works out what the step demands of pods and routing."""
    spec, state = observed.spec, observed.state
    program = compiled(spec, state.strategy, wanted=observed.count, fast=state.fast)
    index = min(state.step, len(program.steps) - 1)
    if edited(observed, program):
        index = 0
    acted = index
    if isinstance(program.steps[index], Roll | Replace) and not state.rolled:
        acted = index - 1  # it is noted first that stable may give up pods
    demanded = posture(program, acted)
    full = surge(spec, state.strategy, wanted=observed.count) >= observed.count
    full = full or state.strategy == "BlueGreen"
    routes = wanted_routes(observed, demanded, full=full)
    replicas = dict(delivering_replicas(observed, demanded, routes, full=full))
    candidate = observed.view(state.candidate)
    if spec.paused == state.candidate and demanded.mode == "Roll":
        replicas[candidate.id] = min(replicas[candidate.id], max(candidate.replicas, candidate.sure))
    count = candidate_count(observed, demanded, full=full) if demanded.mode == "Weighted" else _whole(observed)
    return Delivery(
        observed=observed,
        program=program,
        index=index,
        demanded=demanded,
        count=count,
        routes=routes,
        replicas=replicas,
    )


def edited(observed: Observed, program: Program) -> bool:
    """Tells whether the steps are others than those that the rollout began with."""
    return not observed.state.fast and program.mark != observed.state.plan


def _whole(observed: Observed) -> int:
    """All pods: as many as there were, or as the autoscaler says once it has the candidate."""
    return observed.wanted if observed.autoscaler == observed.state.candidate else observed.count


def autoscaled_revision(delivery: Delivery) -> str:
    """The autoscaler follows the requests: it moves when they have all been sent to the candidate."""
    observed, candidate = delivery.observed, delivery.observed.state.candidate
    if delivery.demanded.mode in {"Fill", "Replace"}:
        return candidate
    switched = delivery.routes.key == Routes.only(candidate).key == observed.written.key
    return candidate if switched and observed.view(candidate).sure >= observed.count else observed.state.base


def inputs(delivery: Delivery) -> dict[str, str]:
    """Gives what a decision was made from, for `lastDecision`."""
    observed = delivery.observed
    candidate, base = observed.view(observed.state.candidate), observed.base
    return {
        "step": f"{delivery.index} ({told(delivery.step)})",
        "attempt": str(observed.state.attempt),
        "candidateReady": f"{candidate.sure} of {delivery.count}",
        "stableReady": f"{base.sure} of {observed.count}",
        "weight": f"{weight_of(delivery)}% of {delivery.demanded.weight or 0}%",
    }


def weight_of(delivery: Delivery) -> int:
    """Gives the percent of the requests that the candidate is observed to answer."""
    observed = delivery.observed
    if delivery.demanded.mode == "Swap":
        swap = observed.swap
        return round(100 * swap.answering(observed.state.candidate) / swap.pods) if swap.pods else 0
    return observed_weight(observed, observed.state.candidate)


def ready_of(delivery: Delivery) -> int:
    """Counts what tells progress: ready pods, or what pods have done of a swap."""
    observed, candidate = delivery.observed, delivery.observed.state.candidate
    if delivery.demanded.mode == "Swap":
        return observed.swap.loaded + observed.swap.agreed + observed.swap.answering(candidate)
    return observed.view(candidate).sure
