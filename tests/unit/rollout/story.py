"""Tells one rollout, act by act: what is declared, what happens, and what the operator makes of it."""

from __future__ import annotations

from typing import Any, Self

from sentinel_operator.core.rollout.decision import Decision
from tests.unit.rollout.explore import calmed
from tests.unit.rollout.model import Declared, Pods, Scenario, World, after_pass, judged, later, sync, writes
from tests.unit.rollout.scenarios import serving


class Story:
    """A world that goes on as it is told."""

    def __init__(self, target: str, wanted: int, spec: Any, *, start: World | None = None, **scenario: Any) -> None:
        self.options = scenario
        self.said = Declared(target, wanted, spec)
        self.world = serving(wanted) if start is None else start
        self.told: list[str] = []

    @property
    def scenario(self) -> Scenario:
        return Scenario(name="story", script=(self.said,), start=self.world, **self.options)

    @property
    def decision(self) -> Decision:
        return self.scenario.decision(self.world)

    def says(self, target: str, wanted: int, spec: Any) -> Self:
        self.said = Declared(target, wanted, spec)
        return self

    def passes(self, number: int = 1) -> Self:
        for _ in range(number):
            self.told += [transition.rule for transition in self.decision.transitions]
            self.world = after_pass(self.scenario, self.world)
        return self

    def dies_after(self, number: int) -> Self:
        """The operator is killed in the middle of a pass."""
        for _, write in writes(self.scenario, self.world)[:number]:
            self.world = write(self.world)
        return self

    def synced(self) -> Self:
        self.world = sync(self.scenario, self.world)
        return self

    def ready(self, revision: str, number: int) -> Self:
        pods = self.of(revision)._replace(ready=number)
        self.world = self.world._replace(pods=tuple(pods if p.id == revision else p for p in self.world.pods))
        return self

    def later(self, seconds: float) -> Self:
        self.world = later(self.world, seconds)
        return self

    def verdict(self, verdict: str) -> Self:
        wanted = self.decision.analysis
        assert wanted is not None, "no analysis is wanted"
        self.world = judged(self.world._replace(analysis=(wanted.key, "Running")), verdict)
        return self

    def calms(self, rounds: int = 200) -> Self:
        """Nothing goes wrong any more."""
        before = None
        for number, world in enumerate(calmed(self.scenario, self.world)):
            if number % 3 == 0:
                self.told += [transition.rule for transition in self.scenario.decision(self.world).transitions]
            if number % 3 == 2:
                if world == before or number > 3 * rounds:
                    break
                before = world
            self.world = world
        return self

    def until(self, phase: str) -> Self:
        """Goes on calmly up to a phase."""
        for _ in range(60):
            if self.decision.standing.phase == phase:
                return self
            self.passes()
            for pods in self.world.pods:
                if pods.id not in self.options.get("broken", ()):
                    self.ready(pods.id, pods.replicas)
            self.synced()
            if self.decision.standing.phase != phase and self.decision.analysis is None:
                self.later(6)
        raise AssertionError(self.decision.standing)

    def of(self, revision: str) -> Pods:
        return self.world.of(revision)
