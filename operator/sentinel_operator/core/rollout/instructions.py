"""What a rollout is made of: a strategy compiles to a program of these, and the state is where in it the rollout is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from sentinel_operator.api.analysis import AnalysisSpec
from sentinel_operator.api.rollout import Gate


@dataclass(frozen=True, slots=True)
class SetWeight:
    """Gives the candidate this percent of the requests; done when the data plane is observed to do so."""

    weight: int


@dataclass(frozen=True, slots=True)
class Scale:
    """Sets the candidate's pods apart from its weight; done when they are ready."""

    replicas: int | None = None
    percent: int | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """Puts the candidate behind the preview Service."""


@dataclass(frozen=True, slots=True)
class Reflect:
    """Copies this percent of stable's requests to the candidate."""

    percent: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Waits for a time, or for a person where there is none."""

    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Judge:
    """Compares the candidate with stable; done when the verdict is Pass and no earlier than after this time."""

    spec: AnalysisSpec
    at_least: float = 0.0


@dataclass(frozen=True, slots=True)
class Ask:
    """Asks a gate."""

    gate: Gate


@dataclass(frozen=True, slots=True)
class Fill:
    """Brings up the first revision: nothing serves that could be harmed."""


@dataclass(frozen=True, slots=True)
class Roll:
    """Replaces stable's pods by the candidate's, as they become ready."""


@dataclass(frozen=True, slots=True)
class Replace:
    """Ends stable's pods, then starts the candidate's."""


@dataclass(frozen=True, slots=True)
class Load:
    """Has stable's pods load the candidate, and compare it on the last inputs."""

    replay: int


@dataclass(frozen=True, slots=True)
class Flip:
    """Has stable's pods answer with the candidate."""


@dataclass(frozen=True, slots=True)
class Settle:
    """Keeps stable for this long after the data plane was observed to have left it."""

    seconds: float


Instruction = SetWeight | Scale | Preview | Reflect | Hold | Judge | Ask | Fill | Roll | Replace | Load | Flip | Settle


@dataclass(frozen=True, slots=True)
class Program:
    """The whole way of one rollout. From `tail` on the candidate takes over; what comes before may be skipped."""

    steps: tuple[Instruction, ...]
    tail: int

    def takeover(self) -> Program:
        """Gives what is left when steps and analyses are skipped."""
        skipped = tuple(step for step in self.steps[self.tail :] if not isinstance(step, Judge))
        return Program(skipped, 0)

    @property
    def mark(self) -> str:
        """Names the way up to the takeover: another mark, another plan. Limits of an analysis are not part of it."""
        return " ".join(_mark(step) for step in self.steps[: self.tail])


def _mark(step: Instruction) -> str:
    match step:
        case SetWeight(weight):
            return f"w{weight}"
        case Scale(replicas, percent):
            return f"s{replicas}" if replicas is not None else f"s{percent}%"
        case Reflect(percent):
            return f"m{percent}"
        case Hold(seconds):
            return "h" if seconds is None else f"h{seconds:g}"
        case Preview() | Judge() | Ask() | Fill() | Roll() | Replace() | Load() | Flip() | Settle():
            return type(step).__name__[0].lower()
        case _:
            assert_never(step)


def told(step: Instruction) -> str:
    """Says what an instruction does, for status and plans."""
    match step:
        case SetWeight(weight):
            return f"weight {weight}%"
        case Scale(replicas, percent):
            return f"scale to {replicas} pods" if replicas is not None else f"scale to {percent}%"
        case Reflect(percent):
            return f"mirror {percent}% of the requests"
        case Hold(seconds):
            return "pause until promoted" if seconds is None else f"pause {seconds:g}s"
        case Judge():
            return "analysis"
        case Settle(seconds):
            return f"keep the old for {seconds:g}s"
        case Preview() | Ask() | Fill() | Roll() | Replace() | Load() | Flip():
            return _PLAIN[type(step)]
        case _:
            assert_never(step)


_PLAIN: dict[type[Instruction], str] = {
    Preview: "preview Service",
    Ask: "gate",
    Fill: "first pods",
    Roll: "rolling replacement",
    Replace: "end the old pods, start the new",
    Load: "load beside the current model and compare",
    Flip: "flip to the candidate",
}
