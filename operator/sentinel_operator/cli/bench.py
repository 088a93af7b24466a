"""How long policies take over decisions, by a clock that is handed in; nothing here knows of files or of a terminal."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from sentinel_operator.core.policy.facts import Facts
from sentinel_operator.core.policy.judge import found
from sentinel_operator.core.policy.matcher import matches
from sentinel_operator.core.policy.plan import judge_plan
from sentinel_operator.core.policy.policy import Policy, ordered
from sentinel_operator.core.policy.values import Values

Clock = Callable[[], float]
"""Gives seconds of which only differences mean anything."""
_WORK = 4_000
_CALIBRATIONS = 15


@dataclass(frozen=True, slots=True)
class Figures:
    """Quantiles of many times, in seconds."""

    p50: float
    p99: float

    @classmethod
    def of(cls, times: Sequence[float]) -> Figures:
        """Gives the quantiles of at least one time."""
        line = sorted(times)
        return cls(_at(0.5, line), _at(0.99, line))


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCost:
    """What one rule takes of each decision that its policy matches."""

    index: int
    type: str
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyCost:
    """What one policy takes of each decision that it matches; its rules, the dearest first."""

    name: str
    decisions: int
    figures: Figures
    rules: tuple[RuleCost, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a run has found."""

    decision: Figures
    calibration: float
    """Seconds of the calibration loop: what this machine takes for a work that is always the same."""
    per_second: float
    policies: tuple[PolicyCost, ...]
    """The dearest first; those that match no decision are not among them."""


def measured(policies: Sequence[Policy], cases: Sequence[Facts], *, repeat: int, clock: Clock) -> Measured:
    """Judges every decision so many times. The calibration loop runs before, in between and after, so that a machine
    that is slower for a while is slower for both."""
    known = ordered(policies)
    _ = [judge_plan(known, [case]) for case in cases]
    decisions, calibrations = list[float](), list[float]()
    rounds = max(1, repeat // _CALIBRATIONS)
    for number in range(repeat):
        if number % rounds == 0:
            calibrations.append(_timed(clock, _calibrate))
        decisions.extend(_timed(clock, partial(judge_plan, known, [case])) for case in cases)
    calibrations.append(_timed(clock, _calibrate))
    total = sum(decisions)
    costs = [cost for policy in known if (cost := _cost(policy, cases, repeat, clock)) is not None]
    return Measured(
        decision=Figures.of(decisions),
        calibration=statistics.median(calibrations),
        per_second=len(decisions) / total if total > 0 else float("inf"),
        policies=tuple(sorted(costs, key=lambda each: -each.figures.p50)),
    )


def _cost(policy: Policy, cases: Sequence[Facts], repeat: int, clock: Clock) -> PolicyCost | None:
    spec = policy.spec
    about = [case for case in cases if spec is not None and matches(spec.selector, case)]
    if spec is None or not spec.rules or not about:
        return None
    times: list[list[float]] = [[] for _ in spec.rules]
    for _ in range(repeat):
        for case in about:
            values = Values(case)
            for taken, rule in zip(times, spec.rules, strict=True):
                taken.append(_timed(clock, partial(found, rule, case, values)))
    rules = [
        RuleCost(index=index, type=rule.type, figures=Figures.of(taken))
        for index, (rule, taken) in enumerate(zip(spec.rules, times, strict=True))
    ]
    return PolicyCost(
        name=policy.name,
        decisions=len(about),
        figures=Figures.of([sum(each) for each in zip(*times, strict=True)]),
        rules=tuple(sorted(rules, key=lambda each: -each.figures.p50)),
    )


def _timed(clock: Clock, work: Callable[[], object]) -> float:
    began = clock()
    work()
    return clock() - began


def _calibrate() -> int:
    """The same work on every machine: calls, texts, tables and numbers, as judging is made of."""
    table, total = dict[str, int](), 0
    for number in range(_WORK):
        key = f"{number % 97}/{number % 89}"
        table[key] = table.get(key, 0) + number
        total += len(key) + (table[key] & 7)
    return total


def _at(share: float, line: Sequence[float]) -> float:
    return line[min(len(line) - 1, int(share * len(line)))]
