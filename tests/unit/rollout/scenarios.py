"""What is explored: each strategy with what can go wrong in it."""

from __future__ import annotations

from typing import Any

from sentinel_operator.api.rollout import RolloutSpec
from sentinel_operator.core.rollout.observed import Record, State
from sentinel_operator.core.rollout.routes import Routes
from tests.unit.rollout.model import Declared, Pods, Scenario, World

A, B, C = "a", "b", "c"
ANALYSIS: dict[str, Any] = {"metrics": [{"name": "errors", "builtin": "error-rate"}]}
STEPS = [{"setWeight": 50}, {"analysis": ANALYSIS}]


def spec(strategy: str = "Canary", **fields: Any) -> RolloutSpec:
    return RolloutSpec.model_validate({"strategy": strategy, "progressDeadline": "10s", **fields})


def canary(steps: list[dict[str, Any]] | None = None, **fields: Any) -> RolloutSpec:
    return spec("Canary", canary={"steps": STEPS if steps is None else steps}, **fields)


def serving(wanted: int) -> World:
    """Revision a serves."""
    return World(
        state=State(stable=A),
        history=(Record(revision=A, verdict="Promoted", promoted_at=1.0),),
        pods=(Pods(A, wanted, wanted, wanted),),
        written=Routes.only(A),
        applied=Routes.only(A),
        autoscaler="",
    )


def scenario(name: str, *script: tuple[str, int, RolloutSpec], wanted: int = 2, **fields: Any) -> Scenario:
    start = fields.pop("start", serving(wanted))
    return Scenario(name=name, script=tuple(Declared(*said) for said in script), start=start, **fields)


BLUE_GREEN = spec("BlueGreen", blueGreen={"prePromotionAnalysis": ANALYSIS, "scaleDownDelay": "6s"})

SHALLOW: tuple[Scenario, ...] = (
    scenario("initial", (A, 2, canary()), start=World(), faults=1),
    scenario("canary passes", (B, 2, canary()), faults=1),
)
DEEP: tuple[Scenario, ...] = ()
