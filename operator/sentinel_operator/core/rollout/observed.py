"""What a pass of the state machine knows: what is declared, what is remembered, what is seen, and the time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from sentinel_operator.api.analysis import Verdict
from sentinel_operator.api.rollout import RevisionVerdict, RolloutSpec
from sentinel_operator.core.rollout.routes import Provider, Routes, RoutingView, SwapView

GateVerdict = Literal["Pending", "Open", "Closed", "Unreachable"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What keeps a revision's pods from being ready.

    `terminal`: waiting does not help. `rejects`: it lies in the revision itself (its digest, its signature, its
    schema), so that no other pod of it can do better.
    """

    reason: str
    message: str
    terminal: bool = False
    rejects: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionView:
    """One revision that has a Deployment."""

    id: str
    replicas: int = 0
    """What the Deployment asks for."""
    ready: int = 0
    endpoints: int = 0
    """Its pods among the ready endpoints of the Service before it: the routed one, or under Gateway its own."""
    verified: bool = True
    """Every ready pod has verified what it serves."""
    fault: Fault | None = None

    @property
    def sure(self) -> int:
        """Counts the ready pods that stay if the Deployment stays as it is: one on its way out does not count."""
        return min(self.ready, self.replicas)

    @property
    def serving(self) -> int:
        """Counts those of them that the data plane knows of."""
        return min(self.sure, self.endpoints)

    @property
    def gone(self) -> bool:
        """Tells whether nothing of it runs or gets requests any more."""
        return self.replicas == 0 and self.ready == 0 and self.endpoints == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What became of a revision."""

    revision: str
    verdict: RevisionVerdict
    attempt: int = 1
    reason: str = ""
    message: str = ""
    at: float = 0.0
    promoted_at: float = 0.0
    """When it took over last, whatever came after; 0 if it never did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisView:
    """Where the analysis with this key stands."""

    key: str
    verdict: Verdict
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateView:
    """What the gate with this key has answered last."""

    key: str
    verdict: GateVerdict
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Whether a rollout may begin now, and what it waits for otherwise."""

    granted: bool = True
    waits_for: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is remembered from pass to pass. What cannot be read again is written before it is acted upon."""

    stable: str = ""
    host: str = ""
    candidate: str = ""
    strategy: str = ""
    """As resolved; `Initial` for the first revision of all."""
    attempt: int = 0
    step: int = 0
    step_started: float = 0.0
    started: float = 0.0
    progressed: float = 0.0
    most_ready: int = 0
    fast: bool = False
    rolled: bool = False
    plan: str = ""
    peak: int = 0
    settled_routing: str = ""
    settled_at: float = 0.0
    stalled: str = ""

    @property
    def base(self) -> str:
        """Names the revision whose Deployment serves stable."""
        return self.host or self.stable

    def host_of(self, revision: str) -> str:
        """Names the revision whose Deployment has the pods that serve a revision, or are to."""
        swapping = self.strategy == "HotSwap" and revision == self.candidate
        return self.base if swapping or (revision and revision == self.stable) else revision


@dataclass(frozen=True, kw_only=True)
class Observed:
    """Everything that a decision is made from. Times are seconds since the epoch."""

    spec: RolloutSpec
    wanted: int
    """Replicas as the user says, or as the autoscaler has made them of what serves."""
    target: str
    """The revision that the spec asks for; empty while something that it refers to is not there."""
    state: State = State()
    revisions: Mapping[str, RevisionView] = field(default_factory=dict)
    """Those that have a Deployment, the oldest first."""
    history: tuple[Record, ...] = ()
    """One for each revision that is kept, the newest first."""
    provider: Provider = "Service"
    routing: RoutingView = field(default_factory=RoutingView)
    swap: SwapView = field(default_factory=SwapView)
    swappable: bool = False
    """The target differs from what serves in nothing but what running pods can load."""
    loadable: frozenset[str] = frozenset()
    """Revisions of the past that those pods can load, though they have no Deployment."""
    unswappable: str = ""
    """Why it is not, for those who have asked for it."""
    spare: bool | None = None
    """Whether a pod of the target fits into the cluster beside what runs; None if that is not known."""
    autoscaled: bool = False
    autoscaler: str = ""
    """The revision whose Deployment an existing autoscaler scales."""
    min_available: int = 0
    extra: int = 0
    """Pods beyond the wanted ones while nothing is delivered: in place of one that answers and has to leave."""
    analysis: AnalysisView | None = None
    gate: GateView | None = None
    budget: Budget = Budget()
    now: float = 0.0

    def can_swap(self, revision: str) -> bool:
        """Tells whether the pods that serve could load a revision: the target, one of the past, or their own."""
        return revision in self.loadable or revision == self.state.host or (self.swappable and revision == self.target)

    @cached_property
    def count(self) -> int:
        """Gives the wanted replicas. What an autoscaler made of an idle stable does not shrink the candidate."""
        return max(self.wanted, self.state.peak) if self.autoscaled and self.wanted else self.wanted

    @property
    def base(self) -> RevisionView:
        """Gives the pods that serve stable."""
        return self.view(self.state.base)

    def view(self, revision: str) -> RevisionView:
        """Gives what is seen of a revision; nothing, where it has no Deployment."""
        return self.revisions.get(revision) or RevisionView(id=revision)

    def record(self, revision: str) -> Record | None:
        """Gives what the history says of a revision."""
        return next((record for record in self.history if record.revision == revision), None)

    @property
    def written(self) -> Routes:
        """Gives the routing that is written."""
        return self.routing.written or Routes()
