"""Explores every state that the state machine can get into, breadth first, and checks in each what must always hold.

`python -m tests.unit.rollout.explore [--deep] [NAME…]` prints the size of each space; the tests run the shallow ones.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from sentinel_operator.core.rollout.arithmetic import needed
from sentinel_operator.core.rollout.decision import Decision
from sentinel_operator.core.rollout.instructions import Judge
from sentinel_operator.core.rollout.intent import BARRED
from sentinel_operator.core.rollout.limits import least
from sentinel_operator.core.rollout.program import compiled
from sentinel_operator.core.rollout.routes import Routes
from sentinel_operator.core.rollout.strategies.canary import DRAIN_SECONDS
from tests.unit.rollout.model import Scenario, World, after_pass, judged, later, moves, sync, writes


class Broken(AssertionError):  # noqa: N818 - it is an assertion
    """An invariant does not hold; the way there is in the message."""


@dataclass(frozen=True)
class Space:
    """What was explored."""

    name: str
    states: int
    moves: int
    depth: int
    seconds: float
    ends: tuple[str, ...]
    """Where it comes to rest: phase and reason, by how often."""

    def __str__(self) -> str:
        ends = ", ".join(self.ends)
        size = f"{self.states:8} states {self.moves:9} moves  depth {self.depth:3}  {self.seconds:6.1f} s"
        return f"{self.name:34} {size} CPU  {ends}"


SAMPLE = 50
"""From one in so many worlds the one calm way is followed as well."""
HARM = ("user", "status lost", "operator dies", "autoscaler")


def explore(scenario: Scenario, *, limit: int = 400_000) -> Space:
    """Visits every reachable world; raises Broken with the way to the first that breaks an invariant."""
    began = time.process_time()
    start = scenario.start._replace(faults=scenario.faults)
    parents: dict[World, tuple[World, str] | None] = {start: None}
    depth = {start: 0}
    calm_from: dict[World, list[World]] = {}
    resting: list[World] = []
    queue, edges = deque([start]), 0
    while queue:
        world = queue.popleft()
        try:
            _check_state(scenario, world)
            _check_decision(scenario, world)
            if len(calm_from) % SAMPLE == 0:
                _follow(scenario, world)
        except AssertionError as error:
            raise Broken(f"{scenario.name}: {error}\n{_way(parents, world)}") from None
        rests = True
        for name, following in moves(scenario, world):
            edges += 1
            if following not in parents:
                parents[following] = (world, name)
                depth[following] = depth[world] + 1
                queue.append(following)
            if following != world and not name.startswith(HARM) and not name.endswith("dies"):
                calm_from.setdefault(following, []).append(world)
                rests = False
        if rests:
            resting.append(world)
        if len(parents) > limit:
            raise Broken(f"{scenario.name}: more than {limit} states")
    ends = _come_to_rest(scenario, parents, calm_from, resting)
    seconds = time.process_time() - began
    return Space(scenario.name, len(parents), edges, max(depth.values()), seconds, ends)


def _come_to_rest(
    scenario: Scenario,
    parents: dict[World, tuple[World, str] | None],
    calm_from: dict[World, list[World]],
    resting: list[World],
) -> tuple[str, ...]:
    """From every world without any more harm a world can be reached in which nothing is left to do."""
    ends = set()
    for world in resting:
        try:
            _check_end(scenario, world)
        except AssertionError as error:
            raise Broken(f"{scenario.name}: {error}\n{_way(parents, world)}") from None
        standing = scenario.decision(world).standing
        ends.add(f"{standing.phase}/{standing.reason}")
    reached, queue = set(resting), deque(resting)
    while queue:
        for before in calm_from.get(queue.popleft(), ()):
            if before not in reached:
                reached.add(before)
                queue.append(before)
    lost = next((world for world in parents if world not in reached), None)
    if lost is not None:
        raise Broken(f"{scenario.name}: 5: never comes to rest\n{_way(parents, lost)}")
    return tuple(sorted(ends))


def _way(parents: dict[World, tuple[World, str] | None], world: World) -> str:
    steps: list[str] = [f"  {world}"]
    while (before := parents[world]) is not None:
        steps.append(f"  {before[1]}")
        world = before[0]
    return "\n".join(reversed(steps))


# ---------------------------------------------------------------------------------------------- the invariants


def _check_state(scenario: Scenario, world: World) -> None:
    if not world.state.stable:
        return
    pods = sum(min(each.ready, each.endpoints) for each in world.pods)
    for each in world.pods:
        served = each.endpoints if scenario.provider == "Service" else (world.applied or Routes()).weight(each.id)
        assert not (served and each.id in scenario.unverified), f"2: unverified {each.id} gets requests"
    if (
        world.faults < scenario.faults
        or _rescaled(scenario, world)
        or _recreates(scenario)
        or world.state.base in scenario.broken
    ):
        return  # what a death or another wish takes away is not the operator's doing
    observed = scenario.observe(world)
    floor = least(observed) if world.state.rolled else observed.wanted
    if scenario.autoscaled is not None:
        floor = min(observed.wanted, world.of(world.state.base).replicas)
    if scenario.provider == "Service":
        assert pods >= floor, f"1: {pods} pods serve, {floor} are needed"
        return
    for each in world.pods:
        weight = (world.applied or Routes()).weight(each.id)
        carry = needed(weight, wanted=floor)
        assert each.ready >= carry, f"1: {each.id} gets {weight}% and has {each.ready} pods ready of {carry}"


def _rescaled(scenario: Scenario, world: World) -> bool:
    return len({said.wanted for said in scenario.script[: world.said + 1]}) > 1


def _recreates(scenario: Scenario) -> bool:
    return any(said.spec.strategy == "Recreate" for said in scenario.script)


def _check_decision(scenario: Scenario, world: World) -> None:
    decision = scenario.decision(world)
    _check_routes(scenario, world, decision)
    for name, write in writes(scenario, world):
        if name.startswith("scale"):
            _check_scale(scenario, world, name, decision)
        if name.startswith("status") and any(record.verdict == "Promoted" for record in decision.records):
            _check_promotion(scenario, world, decision)
        assert write(world) != world, f"{name} changes nothing"
    if not decision.state.candidate and not world.state.rolled and decision.state.stable == world.state.stable:
        assert decision.routes.key == Routes.only(world.state.base).key or not scenario.declared(world).wanted, (
            f"4: without a candidate the routing is {decision.routes.key}"
        )
    assert decision.standing.reason, "5: no reason"


def _check_routes(scenario: Scenario, world: World, decision: Decision) -> None:
    base = world.state.base or decision.state.base
    barred = {record.revision for record in decision.records if record.verdict in BARRED}
    barred |= {r.revision for r in world.history if r.verdict in BARRED and r.revision != world.state.candidate}
    for each in world.pods:
        if not world.state.stable or each.id == base or not decision.routes.reaches(each.id) or world.state.rolled:
            continue
        assert each.id not in barred, f"2: {each.id} is rejected and routed to"
        assert each.id not in scenario.unverified or not each.ready, f"2: {each.id} is not verified and routed to"
        if not decision.routes.shared:
            assert min(each.ready, each.replicas) > 0, f"2: {each.id} has no ready pod and is routed to"


def _check_scale(scenario: Scenario, world: World, name: str, decision: Decision) -> None:
    _, revision, number = name.split()
    pods, replicas = world.of(revision), int(number)
    if scenario.autoscaled is not None:
        assert revision != world.autoscaler or pods.replicas == 0, f"8: {name} is the autoscaler's"
        assert revision != decision.autoscale or replicas > pods.replicas, f"8: {name} will be the autoscaler's"
    if replicas >= pods.ready or world.state.rolled or _rescaled(scenario, world):
        return
    if world.state.strategy == "Initial" or not world.state.stable:
        return
    if revision == world.state.candidate and decision.routes.reaches(revision):
        return  # its share was lowered; stable has all of its pods
    if scenario.provider == "Service":
        assert pods.endpoints == 0, f"3: {name} while its pods get requests"
        assert not (world.written or Routes()).reaches(revision) or world.written.shared, f"3: {name} while routed to"
        assert pods.quiet >= DRAIN_SECONDS, f"3: {name} before the drain"
    else:
        assert (world.applied or Routes()).weight(revision) == 0, f"3: {name} while the route sends to it"


def _check_promotion(scenario: Scenario, world: World, decision: Decision) -> None:
    state, declared = world.state, scenario.declared(world)
    assert decision.state.stable == state.candidate, "6: another revision than the candidate"
    if state.fast or declared.spec.promote is not None:
        return
    program = compiled(declared.spec, state.strategy, wanted=declared.wanted)
    keys = {f"{state.candidate}/{i}/{state.attempt}" for i, step in enumerate(program.steps) if isinstance(step, Judge)}
    assert keys <= world.passed, f"6: promoted without {keys - world.passed}"


# ---------------------------------------------------------------------------------------------- convergence


def calmed(scenario: Scenario, world: World) -> Iterator[World]:
    """Gives what comes when nothing goes wrong any more: each actor does its part, in turn."""
    while True:
        world = after_pass(scenario, world)
        yield world
        world = _settled(scenario, world)
        yield world
        world = later(world)
        yield world


def _settled(scenario: Scenario, world: World) -> World:
    pods = []
    for each in world.pods:
        able = each.id not in scenario.broken | scenario.rejecting
        pods.append(each._replace(ready=each.replicas if able else each.ready))
    world = sync(scenario, world._replace(pods=tuple(pods)))
    decision = scenario.decision(world)
    if decision.analysis is not None and world.analysis != (decision.analysis.key, "Running"):
        if world.analysis[0] != decision.analysis.key:
            world = world._replace(analysis=(decision.analysis.key, "Running"))
    elif decision.analysis is not None:
        world = judged(world, scenario.calm or scenario.verdicts[0])
    if decision.gate is not None and world.gate[0] != decision.gate.key:
        world = world._replace(gate=(decision.gate.key, scenario.gates[0]))
    if world.swap is not None:
        ready = world.of(world.swap.host).ready
        agreed = (ready if scenario.agrees else -1) if world.swap.candidate else 0
        loaded = ready if world.swap.candidate else 0
        world = world._replace(loaded=loaded, agreed=agreed, answers=world.swap.active, answering=ready)
    return world


def _follow(scenario: Scenario, world: World) -> None:
    """Follows the calm way until nothing changes any more."""
    last = None
    for number, following in enumerate(calmed(scenario, world._replace(pending=None))):
        if number % 3 == 2:
            if following == last:
                _check_end(scenario, following)
                return
            last = following
        assert number < 600, f"5: does not come to rest: {following}"


def _check_end(scenario: Scenario, world: World) -> None:
    decision, observed, declared = scenario.decision(world), scenario.observe(world), scenario.declared(world)
    standing = decision.standing
    assert standing.phase in {"Stable", "Paused", "Stalled", "Waiting"}, f"5: ends {standing}: {world}"
    if standing.phase != "Stable":
        assert standing.message, "5: does not say what it waits for"
        return
    back = declared.spec.rollback_to
    target = back.revision if back and back.instead_of == declared.target else declared.target
    base = world.of(world.state.base)
    if observed.wanted == 0:
        assert all(pods.replicas == 0 for pods in world.pods), "6: scaled to zero, but pods are left"
        return
    assert world.state.stable == target, f"5: rests at {world.state.stable}, asked for {target}: {world}"
    assert base.replicas == base.ready == observed.wanted, f"6: {base}, wanted {observed.wanted}"
    assert all(pods.replicas == 0 for pods in world.pods if pods.id != base.id), f"6: others are left: {world.pods}"
    assert decision.routes.key == Routes.only(base.id).key == (world.applied or Routes()).key, "6: routing"
    if world.swap is not None:
        assert world.answers == world.state.stable, "6: the pods answer with another revision"


def main(arguments: list[str] | None = None) -> int:
    """Prints the spaces."""
    from tests.unit.rollout.scenarios import DEEP, SHALLOW

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deep", action="store_true", help="larger bounds; takes many minutes")
    parser.add_argument("names", nargs="*")
    chosen = parser.parse_args(arguments)
    failed = 0
    scenarios = (*SHALLOW, *DEEP) if chosen.deep else SHALLOW
    for scenario in scenarios:
        if not chosen.names or any(name in scenario.name for name in chosen.names):
            try:
                print(explore(scenario, limit=5_000_000 if chosen.deep else 400_000), flush=True)
            except Broken as broken:
                print(broken, flush=True)
                failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
