"""A model of what the state machine acts upon: API server, data plane, pods, analyses, autoscaler, and a user.

A world is a value. `moves` gives every world that may come next: the operator may be killed between any two writes,
the data plane and the pods lag by any number of moves, pods die, verdicts fall, the user edits the spec, time passes.
Time is kept as ages: `now` stands still, and what is remembered moves into the past.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from sentinel_operator.api.rollout import RolloutSpec
from sentinel_operator.core.rollout.decide import decide
from sentinel_operator.core.rollout.decision import Decision, SwapWanted
from sentinel_operator.core.rollout.observed import (
    AnalysisView,
    Budget,
    Fault,
    GateView,
    Observed,
    Record,
    RevisionView,
    State,
)
from sentinel_operator.core.rollout.routes import Provider, Routes, RoutingView, SwapView

NOW = 1_000_000.0
TICK = 6.0
OLD = 12.0
"""Ages beyond this are alike: drain 5 s, deadline 10 s."""


VERSION, FORMER = "now", "former"
"""Versions of the routing: that which is, and any that was."""


class Pods(NamedTuple):
    """A revision's Deployment."""

    id: str
    replicas: int
    ready: int = 0
    endpoints: int = 0
    quiet: float = TICK
    """For how long its pods have not been sent anything; known to the model alone."""


class Declared(NamedTuple):
    """What the user has said."""

    target: str
    wanted: int
    spec: RolloutSpec


class World(NamedTuple):
    """All there is. `said` counts the user's edits, `faults` the deaths that may still come."""

    said: int = 0
    faults: int = 0
    state: State = State()
    history: tuple[Record, ...] = ()
    pods: tuple[Pods, ...] = ()
    written: Routes | None = None
    applied: Routes | None = None
    """What the data plane does."""
    analysis: tuple[str, str] = ("", "")
    gate: tuple[str, str] = ("", "")
    passed: frozenset[str] = frozenset()
    """Analyses that passed; known to the model alone."""
    autoscaler: str = ""
    swap: SwapWanted | None = None
    loaded: int = 0
    agreed: int = 0
    answering: int = 0
    """Pods of the host that answer with what `swap` calls its candidate, or its active one."""
    answers: str = ""
    pending: tuple[World, int] | None = None
    """A pass under way: what it saw, and how many of its writes it has made."""

    def of(self, revision: str) -> Pods:
        return next((pods for pods in self.pods if pods.id == revision), Pods(revision, 0))


@dataclass(frozen=True)
class Scenario:
    """What can happen."""

    name: str
    script: tuple[Declared, ...]
    start: World
    faults: int = 0
    provider: Provider = "Service"
    verdicts: tuple[str, ...] = ("Pass",)
    gates: tuple[str, ...] = ("Open",)
    broken: frozenset[str] = frozenset()
    """Revisions whose pods never become ready."""
    unverified: frozenset[str] = frozenset()
    rejecting: frozenset[str] = frozenset()
    """Revisions whose pods show that the revision itself is bad."""
    swappable: bool = False
    spare: bool | None = None
    agrees: bool = True
    autoscaled: tuple[int, int] | None = None
    budget: bool = True
    min_available: int = 0
    forgets: bool = False
    """The status may be lost, once, at the price of a fault."""
    stale: bool = False
    """Anything may happen between two writes of one pass."""
    calm: str = ""
    """The verdict that falls when nothing else happens; the first of the verdicts if empty."""
    _decisions: dict[World, Decision] = field(default_factory=dict, compare=False)

    def declared(self, world: World) -> Declared:
        return self.script[world.said]

    def decision(self, world: World) -> Decision:
        """The operator's decision; a pure function, so it is remembered."""
        known = self._decisions.get(world)
        if known is None:
            if len(self._decisions) > 50_000:
                self._decisions.clear()
            known = self._decisions[world] = decide(self.observe(world))
        return known

    def observe(self, world: World) -> Observed:
        declared = self.declared(world)
        views = {pods.id: self._view(world, pods) for pods in world.pods}
        wanted = declared.wanted
        if self.autoscaled is not None:
            low, high = self.autoscaled
            wanted = min(max(world.of(world.autoscaler or world.state.base).replicas, low), high)
        return Observed(
            spec=declared.spec,
            wanted=wanted,
            target=declared.target,
            state=world.state,
            revisions=views,
            history=world.history,
            provider=self.provider,
            routing=RoutingView(written=world.written, accepted=self._accepted(world), version=VERSION),
            swap=self._swap(world),
            swappable=self.swappable,
            spare=self.spare,
            autoscaled=self.autoscaled is not None,
            autoscaler=world.autoscaler,
            min_available=self.min_available,
            analysis=AnalysisView(key=world.analysis[0], verdict=world.analysis[1]) if world.analysis[0] else None,
            gate=GateView(key=world.gate[0], verdict=world.gate[1]) if world.gate[0] else None,
            budget=Budget(granted=self.budget, waits_for="another rollout"),
            now=NOW,
        )

    def _view(self, world: World, pods: Pods) -> RevisionView:
        fault = None
        if pods.id in self.rejecting and pods.ready < pods.replicas:
            fault = Fault("DigestMismatch", "other bytes", terminal=True, rejects=True)
        return RevisionView(
            id=pods.id,
            replicas=pods.replicas,
            ready=pods.ready,
            endpoints=pods.endpoints,
            verified=pods.id not in self.unverified,
            fault=fault,
        )

    def _accepted(self, world: World) -> Routes | None:
        return world.applied if world.applied == world.written else None

    def _swap(self, world: World) -> SwapView:
        if world.swap is None:
            return SwapView()
        ready = world.of(world.swap.host).ready
        active = {world.answers: world.answering} if world.answering else {}
        refused = "disagrees with the current model" if world.agreed < 0 else ""
        return SwapView(
            pods=ready, loaded=world.loaded, agreed=max(0, world.agreed), refused=refused, active=active or None
        )


# ---------------------------------------------------------------------------------------------- what happens


def moves(scenario: Scenario, world: World) -> Iterator[tuple[str, World]]:
    """Gives what may happen next."""
    yield from _passes(scenario, world)
    yield from _plane(scenario, world)
    yield from _pod_moves(scenario, world)
    yield from _verdicts(scenario, world)
    yield from _swap_moves(scenario, world)
    if scenario.forgets and world.faults:
        yield "status lost", world._replace(state=State(), history=(), faults=world.faults - 1)
    later = _later(world)
    if later != world:
        yield "time passes", later
    if world.said + 1 < len(scenario.script):
        yield "user", world._replace(said=world.said + 1)


def writes(scenario: Scenario, world: World) -> list[tuple[str, Callable[[World], World]]]:
    """Gives the single writes of the operator's next pass, in their order."""
    decision = scenario.decision(world)
    found: list[tuple[str, Callable[[World], World]]] = []
    routes = decision.routes
    if world.written is None or routes.key != world.written.key:
        found.append((f"route {routes.key}", lambda w: _routed(w, routes)))
    if scenario.autoscaled is not None and decision.autoscale and decision.autoscale != world.autoscaler:
        found.append((f"autoscale {decision.autoscale}", lambda w: w._replace(autoscaler=decision.autoscale)))
    if decision.swap != world.swap:
        found.append((f"swap {decision.swap}", lambda w: _instructed(w, decision.swap)))
    scales = sorted(decision.replicas.items(), key=lambda item: (item[1] > world.of(item[0]).replicas, item[0]))
    known = {pods.id for pods in world.pods}
    for revision, replicas in scales:
        if revision not in known and replicas > 0:
            found.append((f"create {revision}", lambda w, r=revision: _put(w, Pods(r, 1))))
    for revision, replicas in scales:
        if world.of(revision).replicas != replicas and not (revision not in known and replicas <= 1):
            found.append((f"scale {revision} {replicas}", lambda w, r=revision, n=replicas: _scaled(w, r, n)))
    state, history = _remembered(decision.state), _recorded(world.history, decision.records)
    if state != world.state or history != world.history:
        found.append(("status", lambda w: w._replace(state=state, history=history)))
    return found


def after_pass(scenario: Scenario, world: World) -> World:
    """Gives the world after a whole pass."""
    for _, write in writes(scenario, world):
        world = write(world)
    return world


def _passes(scenario: Scenario, world: World) -> Iterator[tuple[str, World]]:
    if scenario.stale:
        yield from _interleaved(scenario, world)
        return
    done, told = world, []
    for name, write in writes(scenario, world):
        done = write(done)
        told.append(name)
        yield f"pass: {', '.join(told)}", done


def _interleaved(scenario: Scenario, world: World) -> Iterator[tuple[str, World]]:
    seen, made = world.pending or (world, 0)
    todo = writes(scenario, seen)
    if world.pending is not None:
        yield "operator dies", world._replace(pending=None)
    if made < len(todo):
        name, write = todo[made]
        more = made + 1 < len(todo)
        yield name, write(world)._replace(pending=(seen, made + 1) if more else None)


def _plane(scenario: Scenario, world: World) -> Iterator[tuple[str, World]]:
    if scenario.provider == "Service":
        synced = sync(scenario, world)
        if synced != world:
            yield "endpoints", synced
        return
    if world.applied != world.written:
        yield "route accepted", world._replace(applied=world.written)
    for pods in world.pods:
        if pods.endpoints != pods.ready:
            yield f"endpoints of {pods.id}", _put(world, pods._replace(endpoints=pods.ready))


def sync(scenario: Scenario, world: World) -> World:
    """Lets the data plane catch up with what is written."""
    routes = world.written or Routes()
    if scenario.provider == "Gateway":
        pods = tuple(each._replace(endpoints=each.ready) for each in world.pods)
        return world._replace(applied=world.written, pods=pods)
    synced = []
    for each in world.pods:
        endpoints = each.ready if routes.reaches(each.id) else 0
        synced.append(each._replace(endpoints=endpoints, quiet=0.0 if endpoints or each.endpoints else each.quiet))
    return world._replace(applied=world.written, pods=tuple(synced))


def _pod_moves(scenario: Scenario, world: World) -> Iterator[tuple[str, World]]:
    for pods in world.pods:
        if pods.ready < pods.replicas and pods.id not in scenario.broken | scenario.rejecting:
            yield f"pod of {pods.id} ready", _put(world, pods._replace(ready=pods.ready + 1))
        if world.faults and pods.ready:
            dead = _put(world, pods._replace(ready=pods.ready - 1))
            yield f"pod of {pods.id} dies", _bounded(dead._replace(faults=world.faults - 1))
    if scenario.autoscaled is not None and world.faults:
        low, high = scenario.autoscaled
        pods = world.of(world.autoscaler)
        for replicas in {max(low, pods.replicas - 1), min(high, pods.replicas + 1)} - {pods.replicas}:
            if pods.replicas:
                yield f"autoscaler {replicas}", _scaled(world, pods.id, replicas)._replace(faults=world.faults - 1)


def _verdicts(scenario: Scenario, world: World) -> Iterator[tuple[str, World]]:
    decision = scenario.decision(world)
    if decision.analysis is not None:
        key = decision.analysis.key
        if world.analysis[0] != key:
            yield "analysis begins", world._replace(analysis=(key, "Running"))
        elif world.analysis[1] == "Running":
            for verdict in scenario.verdicts:
                yield f"analysis: {verdict}", judged(world, verdict)
    if decision.gate is not None and world.gate[0] != decision.gate.key:
        for verdict in scenario.gates:
            yield f"gate: {verdict}", world._replace(gate=(decision.gate.key, verdict))


def judged(world: World, verdict: str) -> World:
    key = world.analysis[0]
    passed = world.passed | {key} if verdict == "Pass" else world.passed
    return world._replace(analysis=(key, verdict), passed=passed)


def _swap_moves(scenario: Scenario, world: World) -> Iterator[tuple[str, World]]:
    swap = world.swap
    if swap is None:
        return
    ready = world.of(swap.host).ready
    if swap.candidate and world.loaded < ready:
        yield "a pod loads", world._replace(loaded=world.loaded + 1)
    if swap.candidate and 0 <= world.agreed < world.loaded:
        yield "a pod compares", world._replace(agreed=world.agreed + 1 if scenario.agrees else -1)
    if world.answers != swap.active and world.answering:
        yield "a pod flips", world._replace(answering=world.answering - 1)
    elif world.answering < ready and (swap.active != swap.candidate or world.answering < world.loaded):
        yield "a pod answers", world._replace(answers=swap.active, answering=world.answering + 1)


def _instructed(world: World, swap: SwapWanted | None) -> World:
    old = world.swap
    if swap is None:
        return world._replace(swap=None, loaded=0, agreed=0, answering=0, answers="")
    same = old is not None and old.candidate == swap.candidate
    ready = world.of(swap.host).ready
    begun = old is None or old.host != swap.host
    return world._replace(
        swap=swap,
        loaded=world.loaded if same else 0,
        agreed=world.agreed if same else 0,
        answering=ready if begun else world.answering,
        answers=swap.active if begun else world.answers,
    )


def _routed(world: World, routes: Routes) -> World:
    routing = world.state.settled_routing.replace(f"@{VERSION}", f"@{FORMER}")
    return world._replace(written=routes, state=replace(world.state, settled_routing=routing))


def _scaled(world: World, revision: str, replicas: int) -> World:
    pods = world.of(revision)
    return _bounded(_put(world, pods._replace(replicas=replicas, ready=min(pods.ready, replicas))))


def _bounded(world: World) -> World:
    if world.swap is None:
        return world
    ready = world.of(world.swap.host).ready
    return world._replace(
        loaded=min(world.loaded, ready),
        agreed=min(world.agreed, ready),
        answering=min(world.answering, ready),
    )


def _put(world: World, pods: Pods) -> World:
    if pods.id in {each.id for each in world.pods}:
        return world._replace(pods=tuple(pods if each.id == pods.id else each for each in world.pods))
    return world._replace(pods=(*world.pods, pods))


def _recorded(history: tuple[Record, ...], records: tuple[Record, ...]) -> tuple[Record, ...]:
    new = {record.revision: replace(record, at=0.0, message="") for record in records}
    new = {key: replace(r, promoted_at=min(1.0, r.promoted_at)) for key, r in new.items()}
    return tuple(sorted((*new.values(), *(r for r in history if r.revision not in new)), key=lambda r: r.revision))


# ---------------------------------------------------------------------------------------------- time


def _remembered(state: State) -> State:
    return replace(state, started=0.0, progressed=_aged(state.progressed), settled_at=_aged(state.settled_at))


def _aged(moment: float, by: float = 0.0) -> float:
    return max(NOW - OLD, moment - by) if moment else 0.0


def _later(world: World, by: float = TICK) -> World:
    state = world.state
    aged = replace(
        state,
        step_started=_aged(state.step_started, by),
        progressed=_aged(state.progressed, by),
        settled_at=_aged(state.settled_at, by),
    )
    pods = tuple(p if p.endpoints else p._replace(quiet=min(TICK, p.quiet + by)) for p in world.pods)
    return world._replace(state=aged, pods=pods)


later = _later
