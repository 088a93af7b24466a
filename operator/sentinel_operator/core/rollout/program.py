"""From a strategy to its program, and from a place in a program to what it demands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from sentinel_operator.api.rollout import RolloutSpec, Strategy
from sentinel_operator.core.intstr import resolve
from sentinel_operator.core.rollout.instructions import (
    Fill,
    Flip,
    Instruction,
    Load,
    Preview,
    Program,
    Reflect,
    Replace,
    Roll,
    Scale,
    SetWeight,
)
from sentinel_operator.core.rollout.strategies.bluegreen import blue_green
from sentinel_operator.core.rollout.strategies.canary import canary
from sentinel_operator.core.rollout.strategies.hotswap import hot_swap
from sentinel_operator.core.rollout.strategies.rolling import initial, recreate, rolling_update
from sentinel_operator.core.rollout.strategies.shadow import shadow

STRATEGIES: dict[str, Callable[..., Program]] = {
    "Canary": canary,
    "BlueGreen": blue_green,
    "Shadow": shadow,
    "HotSwap": hot_swap,
    "RollingUpdate": rolling_update,
    "Recreate": recreate,
    "Initial": initial,
}
ROLLING_SURGE = "25%"


def surge(spec: RolloutSpec, strategy: str, *, wanted: int) -> int:
    """Gives how many pods there may be beyond the wanted ones; without any, none could ever be replaced."""
    default = ROLLING_SURGE if strategy in {"RollingUpdate", "Initial"} else "100%"
    pods = resolve(spec.max_surge if spec.max_surge is not None else default, of=wanted, round_up=True)
    return max(1, pods) if resolve(spec.max_unavailable, of=wanted, round_up=False) == 0 else pods


def compiled(spec: RolloutSpec, strategy: str, *, wanted: int, fast: bool = False) -> Program:
    """Gives the program of a strategy for so many replicas; `fast` leaves only the takeover."""
    program = STRATEGIES[strategy](spec, full=surge(spec, strategy, wanted=wanted) >= wanted)
    return program.takeover() if fast else program


def chosen(strategy: Strategy, *, spare: bool | None, swappable: bool) -> Strategy:
    """Resolves Auto: a canary, unless no pod of the candidate would find room and the running ones can load it."""
    if strategy != "Auto":
        return strategy
    return "HotSwap" if spare is False and swappable else "RollingUpdate" if spare is False else "Canary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Posture:
    """What a place in a program demands: all that was said up to there."""

    mode: Literal["Weighted", "Fill", "Roll", "Replace", "Swap"] = "Weighted"
    weight: int | None = None
    """None before the first weight: the candidate needs no pod."""
    before: int = 0
    """The weight before this one, which stays until the candidate's pods can carry more."""
    scale: Scale | None = None
    mirror: int = 0
    preview: bool = False
    replay: int = 0
    flipped: bool = False


def posture(program: Program, step: int) -> Posture:
    """Gives what is demanded at a step."""
    demanded = Posture()
    for instruction in program.steps[: step + 1]:
        demanded = _after(demanded, instruction)
    return demanded


def _after(demanded: Posture, instruction: Instruction) -> Posture:
    match instruction:
        case SetWeight(weight):
            return replace(demanded, weight=weight, before=demanded.weight or 0, mirror=0)
        case Scale():
            return replace(demanded, scale=instruction)
        case Reflect(percent):
            return replace(demanded, mirror=percent)
        case Preview():
            return replace(demanded, preview=True)
        case Load(replay):
            return replace(demanded, mode="Swap", replay=replay)
        case Flip():
            return replace(demanded, mode="Swap", flipped=True)
        case Fill():
            return replace(demanded, mode="Fill")
        case Roll():
            return replace(demanded, mode="Roll", mirror=0, preview=False)
        case Replace():
            return replace(demanded, mode="Replace")
        case _:
            return demanded
