"""What a verb is asked with, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sentinel_operator.api.actionplan import Decision
from sentinel_operator.core.actionplan.intent import Intent
from sentinel_operator.core.actionplan.view import TargetView
from sentinel_operator.core.plan import Manifest


class Refusal(Exception):  # noqa: N818 - no error: an answer
    """Why a decision cannot be carried out on the target as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One decision and its target as it is now."""

    decision: Decision
    view: TargetView
    nodes: Mapping[str, Manifest]
    now: datetime
    may_cordon: bool = False
    """The plan is one of those that may touch Nodes."""

    @property
    def live(self) -> Manifest:
        """Gives the target; raises Refusal where there is none."""
        if self.view.raw is None:
            raise Refusal(f"there is no {self.decision.target.kind} {self.decision.target.name}")
        return self.view.raw

    def param(self, name: str) -> int | str | None:
        """Gives what a parameter holds."""
        return (self.decision.params or {}).get(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerbModule:
    """One verb. Both are pure; `intents` raises Refusal."""

    intents: Callable[[Case], tuple[Intent, ...]]
    """Decides what would change, in absolute values, on the target as it is now."""
    waits_for: Callable[[Case, tuple[Intent, ...]], str]
    """Says what is still to come once all edits are there; empty when the change has taken effect."""
