"""What a pass of the state machine decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sentinel_operator.api.analysis import AnalysisSpec
from sentinel_operator.api.rollout import Gate, RolloutPhase
from sentinel_operator.core.rollout.observed import Record, State
from sentinel_operator.core.rollout.routes import Routes


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisWanted:
    """The analysis that should run now. Another key is another run."""

    key: str
    spec: AnalysisSpec
    revision: str
    baseline: str
    """The revision to compare with; empty after the switch, when nothing else gets requests."""
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GateWanted:
    """The gate that should be asked now."""

    key: str
    gate: Gate
    revision: str
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapWanted:
    """What the pods of `host` should serve and hold, as the ConfigMap of the active revision says it."""

    host: str
    active: str
    candidate: str = ""
    replay: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """Copies of stable's requests for the candidate."""

    revision: str
    percent: int


@dataclass(frozen=True, slots=True)
class Transition:
    """Something that this pass decided: by which rule, from what, with what result. It becomes `lastDecision` and an
    event."""

    rule: str
    result: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    warning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where the delivery stands, for the conditions. `stalled` needs a person; `reconciling` goes on by itself."""

    phase: RolloutPhase
    reason: str
    message: str
    stalled: bool = False
    reconciling: bool = False
    next: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Written in this order: routing, replicas (decreases first), state with history. Any prefix of it is safe."""

    routes: Routes
    replicas: Mapping[str, int]
    """By revision. One that is not in it is not the operator's to scale, or is left as it is."""
    state: State
    """Replaces what was remembered, together with the records."""
    standing: Standing
    records: tuple[Record, ...] = ()
    """Replace those of the same revisions in the history."""
    transitions: tuple[Transition, ...] = ()
    preview: str = ""
    """The revision behind the preview Service; empty where there is none."""
    mirror: Mirror | None = None
    swap: SwapWanted | None = None
    autoscale: str = ""
    """The revision whose Deployment the autoscaler should scale."""
    analysis: AnalysisWanted | None = None
    gate: GateWanted | None = None
    holds_slot: bool = False
    """A slot of the change budget is in use."""
    wants_slot: bool = False
    """A slot is needed to begin."""
    weight_wanted: int = 0
    weight: int = 0
    """What the candidate is observed to get, in percent."""
    steps: tuple[str, ...] = ()
    """The rollout's steps in words."""
    look_again: float | None = None
    """Seconds until time alone changes the decision; 0 is at once."""
