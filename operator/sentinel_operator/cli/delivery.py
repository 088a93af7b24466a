"""Where a model's delivery stands, from its spec and status alone: what verbs name, and what `watch` draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from sentinel_operator.api.rollout import RolloutSpec
from sentinel_operator.api.sentrymodel import RevisionRecord, RolloutStatus, SentryModelStatus
from sentinel_operator.cli.standing import generations, status_of, wanted
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.rollout.instructions import Instruction, Program
from sentinel_operator.core.rollout.program import STRATEGIES, compiled

VERBS = ("promote", "paused", "abort", "retry", "rollbackTo")
"""The fields of spec.rollout that are a person's word; one at a time."""
BARRED = frozenset({"Rejected", "Aborted"})


@dataclass(frozen=True, slots=True)
class Delivery:
    """One model, read for its delivery. A field that a newer release writes in another way counts as absent."""

    raw: Manifest

    @property
    def status(self) -> SentryModelStatus:
        """Gives what is understood of the status."""
        return status_of(self.raw)

    @property
    def progress(self) -> RolloutStatus:
        """Gives where the rollout stands."""
        return self.status.rollout or RolloutStatus()

    @property
    def stable(self) -> str:
        """Names the revision that serves."""
        found = self.status.stable
        return self.progress.stable or (found.revision if found is not None else "")

    @property
    def candidate(self) -> str:
        """Names the revision that is being delivered, or an empty string."""
        return self.progress.candidate

    @property
    def records(self) -> Sequence[RevisionRecord]:
        """Gives the history, the newest first."""
        return self.status.revisions or ()

    def record(self, revision: str) -> RevisionRecord | None:
        """Gives what the history says of a revision."""
        return next((each for each in self.records if each.revision == revision), None)

    @property
    def said(self) -> Mapping[str, Any]:
        """Gives the verbs that are in the spec."""
        rollout = (self.raw.get("spec") or {}).get("rollout") or {}
        return {verb: rollout[verb] for verb in VERBS if rollout.get(verb) is not None}

    @property
    def current(self) -> bool:
        """Tells whether the status is of the spec as it is now."""
        observed, generation = generations(self.raw)
        return observed >= generation

    @property
    def went_back(self) -> Mapping[str, Any] | None:
        """Gives spec.rollout.rollbackTo while it has its way."""
        back: Mapping[str, Any] | None = self.said.get("rollbackTo")
        if back is None or self.candidate not in ("", back.get("revision")):
            return None
        named = {each.revision for each in self._named()} - {back.get("revision"), back.get("insteadOf"), self.stable}
        return None if named and not self.candidate else back

    @property
    def target(self) -> str:
        """Names the revision that the spec asks for, as far as the status tells; empty if it does not."""
        if (back := self.went_back) is not None:
            return str(back.get("insteadOf", ""))
        if self.candidate or self.progress.phase == "Stable":
            return self.candidate or self.stable
        others = [each for each in self._named() or self.records if each.revision != self.stable]
        return others[0].revision if others else self.stable

    def _named(self) -> list[RevisionRecord]:
        """Gives the revisions that the message is about."""
        message = self.progress.message
        return [each for each in self.records if f"revision {each.revision}" in message]

    @property
    def program(self) -> Program | None:
        """Gives the steps of the rollout; None where none runs, or where its plan is not understood."""
        spec, progress = self.rollout, self.progress
        if spec is None or not self.candidate or progress.strategy not in STRATEGIES:
            return None
        return compiled(spec, progress.strategy, wanted=self.count, fast=progress.fast)

    @property
    def count(self) -> int:
        """Gives the pods that are wanted; what an autoscaler made of an idle stable does not shrink the candidate."""
        asked = wanted(self.raw)
        return max(asked, self.progress.peak) if (self.raw.get("spec") or {}).get("autoscaling") else asked

    @property
    def step(self) -> Instruction | None:
        """Gives the step that is under way."""
        program = self.program
        return program.steps[self.progress.step] if program and self.progress.step < len(program.steps) else None

    @property
    def rollout(self) -> RolloutSpec | None:
        """Gives spec.rollout; None where it is not understood."""
        try:
            return RolloutSpec.model_validate((self.raw.get("spec") or {}).get("rollout") or {})
        except ValidationError:
            return None

    def named(self, revision: str) -> str:
        """Names a revision with its version."""
        record = self.record(revision)
        return f"{revision} ({record.version})" if record is not None and record.version else revision
