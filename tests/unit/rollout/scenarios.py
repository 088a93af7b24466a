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


GATE = {"webhook": {"url": "http://gate.example/open"}, "timeout": "10s"}
THREE = [{"setWeight": 25}, {"analysis": ANALYSIS}, {"setWeight": 50}]
BLUE = {"postPromotionAnalysis": ANALYSIS, "scaleDownDelay": "6s"}
BLUE_GREEN = spec("BlueGreen", blueGreen=BLUE)
FORMER = serving(2)._replace(
    history=(
        Record(revision=A, verdict="Promoted", promoted_at=1.0),
        Record(revision=B, verdict="Promoted", promoted_at=1.0),
    )
)

ROLLING = spec("RollingUpdate")
SHADOW = spec("Shadow", shadow={"percent": 50, "duration": "6s", "analysis": ANALYSIS})
HOT = spec("HotSwap", hotSwap={"replay": 5, "analysis": ANALYSIS, "keepFor": "6s"})
JUDGED = [{"analysis": ANALYSIS}]
HOT_ABORTED = spec("HotSwap", hotSwap={"replay": 5, "analysis": ANALYSIS, "keepFor": "6s"}, abort=B)
SHADOW_NARROW = spec("Shadow", shadow={"percent": 50, "duration": "6s"}, maxSurge=1)
BLUE_ABORTED = spec("BlueGreen", blueGreen=BLUE, abort=B)
BLUE_MANUAL = spec("BlueGreen", blueGreen={"autoPromote": False, "scaleDownDelay": "6s"})
BLUE_PROMOTED = spec(
    "BlueGreen",
    blueGreen={"autoPromote": False, "scaleDownDelay": "6s"},
    promote={"revision": B, "step": 2},
)
EVERY = [
    {"setScale": {"percent": 50}},
    {"gate": GATE},
    {"setWeight": 50},
    {"pause": {"duration": "6s"}},
    {"analysis": ANALYSIS},
]
ROLLING_PAUSED = spec("RollingUpdate", paused=B)
ROLLING_ABORTED = spec("RollingUpdate", abort=B)
ILL = serving(2)._replace(pods=(Pods(A, 2, 0, 0),))
AUTOSCALED = serving(2)._replace(autoscaler=A)

SHALLOW: tuple[Scenario, ...] = (
    scenario("initial", (A, 2, canary()), start=World(), faults=1),
    scenario("initial, replaced on the way", (A, 1, canary()), (B, 1, canary()), start=World()),
    scenario("canary passes", (B, 2, canary()), faults=1),
    scenario("canary fails", (B, 2, canary()), verdicts=("Fail",)),
    scenario("canary, whatever the verdict", (B, 2, canary()), verdicts=("Inconclusive", "Error", "Pass", "Fail")),
    scenario("canary never ready", (B, 2, canary()), broken=frozenset({B})),
    scenario("canary with other bytes", (B, 2, canary()), rejecting=frozenset({B})),
    scenario("canary not verified", (B, 2, canary()), unverified=frozenset({B})),
    scenario("canary aborted", (B, 2, canary()), (B, 2, canary(abort=B))),
    scenario("canary replaced", (B, 1, canary()), (C, 1, canary()), wanted=1),
    scenario("canary taken back", (B, 2, canary()), (A, 2, canary())),
    scenario("canary scaled on the way", (B, 1, canary()), (B, 2, canary()), wanted=1),
    scenario("canary scaled to zero on the way", (B, 1, canary()), (B, 0, canary()), wanted=1),
    scenario("canary paused", (B, 2, canary()), (B, 2, canary(paused=B)), (B, 2, canary())),
    scenario("canary waits for a word", (B, 2, canary([{"setWeight": 50}, {"pause": {}}]))),
    scenario(
        "canary promoted in full",
        (B, 2, canary()),
        (B, 2, canary(promote={"revision": B, "full": True})),
        verdicts=("Inconclusive",),
    ),
    scenario(
        "canary retried",
        (B, 1, canary()),
        (B, 1, canary(retry={"revision": B})),
        wanted=1,
        verdicts=("Fail", "Pass"),
    ),
    scenario(
        "canary behind a gate", (B, 1, canary([{"gate": GATE}, {"setWeight": 20}])), wanted=1, gates=("Open", "Closed")
    ),
    scenario("canary with edited steps", (B, 2, canary()), (B, 2, canary([{"setWeight": 20}]))),
    scenario("canary with little room", (B, 2, canary(maxSurge=1))),
    scenario("canary with little room, aborted", (B, 2, canary(maxSurge=1)), (B, 2, canary(maxSurge=1, abort=B))),
    scenario("canary by route", (B, 2, canary()), provider="Gateway"),
    scenario("canary by route aborted", (B, 2, canary()), (B, 2, canary(abort=B)), provider="Gateway"),
    scenario("canary under an autoscaler", (B, 2, canary()), start=AUTOSCALED, autoscaled=(1, 2), faults=1),
    scenario("rollback to a good one", (B, 2, canary()), start=FORMER),
    scenario("blue-green", (B, 2, BLUE_GREEN), verdicts=("Pass", "Fail")),
    scenario("blue-green aborted", (B, 2, BLUE_GREEN), (B, 2, spec("BlueGreen", blueGreen=BLUE, abort=B))),
    scenario("blue-green by route", (B, 2, BLUE_GREEN), provider="Gateway"),
    scenario("shadow", (B, 2, SHADOW), verdicts=("Pass", "Fail")),
    scenario("hot swap", (B, 2, HOT), swappable=True, verdicts=("Pass", "Fail")),
    scenario("hot swap, a pod dies", (B, 1, HOT), wanted=1, swappable=True, faults=1),
    scenario("hot swap refused", (B, 2, HOT), swappable=True, agrees=False),
    scenario("hot swap and back", (B, 1, HOT), (A, 1, HOT), wanted=1, swappable=True),
    scenario("hot swap, then a canary", (B, 1, HOT), (C, 1, canary([{"setWeight": 20}])), wanted=1, swappable=True),
    scenario(
        "auto without room", (B, 2, spec("Auto", hotSwap={"replay": 0, "keepFor": "6s"})), swappable=True, spare=False
    ),
    scenario("rolling", (B, 3, ROLLING), wanted=3),
    scenario("rolling, a pod dies", (B, 2, ROLLING), faults=1),
    scenario("rolling replaced", (B, 1, ROLLING), (C, 1, ROLLING), wanted=1),
    scenario("rolling aborted", (B, 2, ROLLING), (B, 2, spec("RollingUpdate", abort=B))),
    scenario("rolling never ready", (B, 2, ROLLING), broken=frozenset({B})),
    scenario("rolling by route", (B, 2, ROLLING), provider="Gateway"),
    scenario("rolling under an autoscaler", (B, 2, ROLLING), start=AUTOSCALED, autoscaled=(1, 3)),
    scenario("recreate", (B, 2, spec("Recreate"))),
    scenario("recreate aborted", (B, 1, spec("Recreate")), (B, 1, spec("Recreate", abort=B)), wanted=1),
    scenario("rolling, one may be missing", (B, 2, spec("RollingUpdate", maxSurge=0, maxUnavailable=1))),
    scenario("canary, status lost", (B, 1, canary()), wanted=1, faults=1, forgets=True),
    scenario("rolling, status lost", (B, 1, ROLLING), wanted=1, faults=1, forgets=True),
    scenario("canary in slow passes", (B, 1, canary()), wanted=1, stale=True, verdicts=("Pass", "Fail")),
    scenario("canary aborted in slow passes", (B, 1, canary()), (B, 1, canary(abort=B)), wanted=1, stale=True),
    scenario("rolling in slow passes", (B, 2, ROLLING), stale=True),
    scenario("blue-green in slow passes", (B, 1, BLUE_GREEN), wanted=1, stale=True, verdicts=("Pass", "Fail")),
    scenario("initial under an autoscaler", (A, 1, canary()), start=World(), autoscaled=(1, 2), faults=1),
    scenario("blue-green under an autoscaler", (B, 2, BLUE_GREEN), start=AUTOSCALED, autoscaled=(1, 2), faults=1),
    scenario("recreate under an autoscaler", (B, 2, spec("Recreate")), start=AUTOSCALED, autoscaled=(1, 2)),
    scenario("blue-green, a pod dies", (B, 2, BLUE_GREEN), faults=1, min_available=1),
    scenario("canary by route, a pod dies", (B, 2, canary()), faults=1, provider="Gateway"),
    scenario("blue-green by route aborted", (B, 1, BLUE_GREEN), (B, 1, BLUE_ABORTED), wanted=1, provider="Gateway"),
    scenario("rolling by route replaced", (B, 1, ROLLING), (C, 1, ROLLING), wanted=1, provider="Gateway"),
    scenario("rolling by route aborted", (B, 2, ROLLING), (B, 2, ROLLING_ABORTED), provider="Gateway"),
    scenario("canary with little room by route", (B, 2, canary(maxSurge=1)), provider="Gateway"),
    scenario("shadow with little room", (B, 2, SHADOW_NARROW), verdicts=("Pass", "Fail")),
    scenario("hot swap aborted", (B, 2, HOT), (B, 2, HOT_ABORTED), swappable=True),
    scenario("hot swap in slow passes", (B, 1, HOT), (B, 1, HOT_ABORTED), wanted=1, swappable=True, stale=True),
    scenario("hot swap, status lost", (B, 1, HOT), wanted=1, swappable=True, faults=1, forgets=True),
    scenario("blue-green, status lost", (B, 1, BLUE_GREEN), wanted=1, faults=1, forgets=True),
    scenario("promoted by hand", (B, 1, BLUE_MANUAL), (B, 1, BLUE_PROMOTED), wanted=1),
    scenario("another while stable is ill", (B, 2, canary()), start=ILL, broken=frozenset({A})),
    scenario("initial, status lost", (A, 2, canary()), start=World(), faults=2, forgets=True),
    scenario("initial aborted", (A, 2, canary()), (A, 2, canary(abort=A)), start=World()),
    scenario("canary of every kind of step", (B, 2, canary(EVERY)), verdicts=("Pass", "Fail")),
    scenario("canary of every kind of step by route", (B, 2, canary(EVERY)), provider="Gateway"),
    scenario("rolling paused", (B, 2, ROLLING), (B, 2, ROLLING_PAUSED), (B, 2, ROLLING)),
    scenario("rolling with other bytes", (B, 2, ROLLING), rejecting=frozenset({B})),
    scenario("rolling scaled on the way", (B, 1, ROLLING), (B, 2, ROLLING), wanted=1),
    scenario(
        "rolling aborted, autoscaled", (B, 2, ROLLING), (B, 2, ROLLING_ABORTED), start=AUTOSCALED, autoscaled=(1, 2)
    ),
    scenario(
        "canary aborted, autoscaled", (B, 2, canary()), (B, 2, canary(abort=B)), start=AUTOSCALED, autoscaled=(1, 2)
    ),
    scenario(
        "blue-green replaced, autoscaled", (B, 2, BLUE_GREEN), (C, 2, BLUE_GREEN), start=AUTOSCALED, autoscaled=(1, 2)
    ),
    scenario("hot swap, autoscaled", (B, 2, HOT), start=AUTOSCALED, autoscaled=(1, 2), swappable=True, faults=1),
    scenario("no slot", (B, 2, canary()), budget=False),
)
DEEP: tuple[Scenario, ...] = (
    scenario("deep scaled to zero", (B, 2, canary()), (B, 0, canary()), (B, 1, canary())),
    scenario("deep slow passes", (B, 2, canary()), (B, 2, canary(abort=B)), stale=True, faults=1),
    scenario("deep status lost", (B, 2, ROLLING), faults=1, forgets=True),
    scenario("deep recreate", (B, 2, spec("Recreate")), (B, 2, spec("Recreate", abort=B)), faults=1),
    scenario("deep canary by route", (B, 3, canary(THREE)), wanted=3, faults=1, provider="Gateway"),
    scenario("deep canary replaced", (B, 2, canary()), (C, 2, canary()), (A, 2, canary()), faults=1),
    scenario("deep canary scaled", (B, 2, canary()), (B, 4, canary()), (B, 1, canary()), faults=1),
    scenario("deep rolling replaced", (B, 3, ROLLING), (C, 3, ROLLING), wanted=3, faults=1),
    scenario("deep rolling aborted", (B, 4, ROLLING), (B, 4, ROLLING_ABORTED), wanted=4, faults=1),
    scenario("deep blue-green replaced", (B, 2, BLUE_GREEN), (C, 2, BLUE_GREEN), faults=1, verdicts=("Pass", "Fail")),
    scenario("deep hot swap", (B, 3, HOT), (A, 3, HOT), wanted=3, faults=1, swappable=True, verdicts=("Pass", "Fail")),
    scenario("deep autoscaler", (B, 2, canary()), start=AUTOSCALED, autoscaled=(1, 4), faults=3),
    scenario("deep canary", (B, 4, canary(THREE)), wanted=4, faults=1, verdicts=("Pass", "Fail", "Inconclusive")),
)
