"""What `watch --until` waits for, and when waiting has become pointless."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from sentinel_operator.cli.outcome import Exit, Failed
from sentinel_operator.cli.standing import generations, standing, status_of
from sentinel_operator.core.plan import Manifest

READY, DELETED = "Ready", "deleted"
Status = Literal["True", "False", "Unknown"]
_STATUSES: dict[str, Status] = {"true": "True", "false": "False", "unknown": "Unknown"}
_FORM = re.compile(r"([A-Za-z][A-Za-z0-9]*)(?:=([A-Za-z]+))?")


@dataclass(frozen=True, slots=True)
class Goal:
    """A condition and the status that it is to have; or `deleted`."""

    type: str
    status: Status = "True"

    @property
    def label(self) -> str:
        """Says it in a sentence."""
        return "deleted" if self.type == DELETED else f"{self.type}={self.status}"

    def reached(self, raw: Manifest) -> bool:
        """Tells whether it holds, for the spec as it is now: what was true of an older one does not count."""
        if self.type == DELETED:
            return False
        if self.type == READY:
            return standing(raw).ready == self.status
        observed, generation = generations(raw)
        return observed >= generation and any(
            each.type.lower() == self.type.lower() and each.status == self.status
            for each in status_of(raw).conditions or ()
        )

    def hopeless(self, raw: Manifest) -> bool:
        """Tells that readiness will not come before somebody changes the spec."""
        return self.type == READY and self.status == "True" and standing(raw).stalled


def goal(text: str) -> Goal:
    """Reads `ready`, `deleted`, or a condition with or without a status: `Stalled`, `ModelVerified=False`."""
    found = _FORM.fullmatch(text)
    status = _STATUSES.get((found[2] or "true").lower()) if found else None
    if found is None or status is None:
        raise Failed(f"--until {text!r} is neither ready, deleted nor CONDITION[=True|False|Unknown]", Exit.USAGE)
    if found[1].lower() == DELETED:
        return Goal(DELETED)
    return Goal(READY if found[1].lower() == READY.lower() else found[1], status)
