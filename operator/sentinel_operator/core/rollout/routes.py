"""Where requests are sent, as it is wanted, as it is written, and as the data plane is observed to do it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Provider = Literal["Service", "Gateway"]


@dataclass(frozen=True, slots=True)
class Routes:
    """The routing that is written. `weights` are percents by revision, in order and without zeros.

    Under `Service` one revision alone means that the Service selects its pods, several (`shared`) that it selects the
    pods of all revisions, whose shares then follow from their ready pods. Under `Gateway` the weights are the route's.
    """

    weights: tuple[tuple[str, int], ...] = ()
    shared: bool = False

    @classmethod
    def only(cls, revision: str) -> Routes:
        """Sends everything to one revision, or nowhere where there is none."""
        return cls(((revision, 100),) if revision else ())

    @classmethod
    def split(cls, *, stable: str, candidate: str, weight: int, shared: bool) -> Routes:
        """Sends a share to the candidate and the rest to stable."""
        if weight <= 0 or not candidate:
            return cls.only(stable)
        if (weight >= 100 and not shared) or not stable:
            return cls.only(candidate)
        return cls(tuple(sorted({stable: 100 - weight, candidate: weight}.items())), shared)

    def weight(self, revision: str) -> int:
        """Gives the percent that is meant for a revision."""
        return dict(self.weights).get(revision, 0)

    def reaches(self, revision: str) -> bool:
        """Tells whether ready pods of the revision would get requests."""
        return self.shared or any(name == revision for name, _ in self.weights)

    @property
    def key(self) -> str:
        """Names what the data plane does under it: equal keys, equal behaviour."""
        if self.shared:
            return "shared"
        return ",".join(f"{revision}={weight}" for revision, weight in self.weights)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingView:
    """`written` is what the Service's selector or the HTTPRoute says, None before there is one.

    `accepted` is what the route is observed to do: None unless `Accepted` bears the current generation. Under Service
    the EndpointSlices tell it, as `RevisionView.endpoints`; `accepted` is not looked at.
    """

    written: Routes | None = None
    accepted: Routes | None = None
    version: str = ""
    """Another one whenever the routing was written: the Service's resourceVersion, the HTTPRoute's generation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapView:
    """What the pods of one Deployment report of a hot swap, over its ready pods."""

    pods: int = 0
    loaded: int = 0
    """Hold the candidate, warmed."""
    agreed: int = 0
    """Found it to agree with the active revision on the inputs replayed."""
    refused: str = ""
    """Why a pod cannot load it, or found that it does not agree."""
    active: Mapping[str, int] | None = None
    """How many pods answer with which revision."""
    note: str = ""
    """What those that are not there yet wait for."""

    def answering(self, revision: str) -> int:
        """Counts the pods that answer with a revision."""
        return (self.active or {}).get(revision, 0)
