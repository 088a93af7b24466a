"""Every transition of a plan, numbered; and up to which of them the sink of events has been told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from sentinel_operator.api.actionstatus import MAX_HISTORY, ActionPlanStatus, PlanState, Transition
from sentinel_operator.core.conditions import rfc3339, truncated
from sentinel_operator.core.plan import Manifest

_FIRST: PlanState = "Pending"


def recorded(status: ActionPlanStatus, *, created: datetime, now: datetime) -> list[Transition]:
    """Gives the history with the state that the status has, where that is another than the last one in it. Whoever
    takes several steps before anything is written asks after each of them: none is left out then."""
    history, state = list(status.history or ()), status.state or _FIRST
    if not history:
        history.append(Transition(number=1, state=_FIRST, at=rfc3339(created), message="created"))
    if history[-1].state != state:
        number, message = history[-1].number + 1, truncated(status.message)
        history.append(Transition(number=number, state=state, at=rfc3339(now), message=message))
    return history[-MAX_HISTORY:]


# ---------------------------------------------------------------------------------------------- of a raw plan


@dataclass(frozen=True, slots=True, order=True)
class Told:
    """Up to which number the sink was told, and how many of these it refused for good."""

    number: int = 0
    refused: int = 0

    def and_one(self, number: int, *, refused: bool) -> Told:
        """Gives how far it is after one more."""
        return Told(number, self.refused + refused)

    def as_status(self) -> dict[str, int]:
        """Gives the fields of the status that say so; nothing where there is nothing to say."""
        return {"published": self.number, **({"publishRefused": self.refused} if self.refused else {})}


def history_of(raw: Manifest) -> Sequence[Mapping[str, Any]]:
    """Gives the transitions of a raw plan; what cannot be read as one is left out."""
    found = _status(raw).get("history")
    return [each for each in found if _is_transition(each)] if isinstance(found, list) else ()


def newest(raw: Manifest) -> int:
    """Gives the number of the last transition; 0 where there was none."""
    history = history_of(raw)
    return int(history[-1]["number"]) if history else 0


def told(raw: Manifest) -> Told:
    """Gives what the plan's status says of the sink."""
    status = _status(raw)
    return Told(_count(status.get("published")), _count(status.get("publishRefused")))


def untold(raw: Manifest, since: int) -> list[Mapping[str, Any]]:
    """Gives the transitions after a number, in their order."""
    return [each for each in history_of(raw) if each["number"] > since]


def kept(raw: Manifest) -> list[Transition] | None:
    """Gives what can be read of the history of a status that cannot be read as a whole: its numbers go on."""
    found = []
    for each in history_of(raw):
        with suppress(ValidationError):
            found.append(Transition.model_validate(each))
    return found[-MAX_HISTORY:] or None


def is_told(raw: Manifest) -> bool:
    """Tells whether the sink was told of every transition, or refused it."""
    return newest(raw) <= told(raw).number


def _status(raw: Manifest) -> Mapping[str, Any]:
    found = raw.get("status")
    return found if isinstance(found, dict) else {}


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0


def _is_transition(value: object) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("number"), int):
        return False
    return isinstance(value.get("state"), str) and isinstance(value.get("at"), str)
