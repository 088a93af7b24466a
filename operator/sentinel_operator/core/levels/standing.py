"""How a SentryModel stood, as its condition `Available` told it over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sentinel_operator.core.conditions import parse_time
from sentinel_operator.core.levels.uptime import Standing, Uptime
from sentinel_operator.core.plan import Manifest

_CONDITION = "Available"
_SCALED_TO_ZERO = "ScaledToZero"


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of one model, and when it last changed as its status says."""

    uptime: Uptime
    changed_at: str

    def served_since(self, moment: datetime | None) -> Seen:
        """Takes in that one of its pods has been ready since a moment."""
        return self if moment is None else replace(self, uptime=self.uptime.up_before(moment))


def seen(before: Seen | None, raw: Manifest, *, now: datetime, window: timedelta) -> Seen:
    """Takes in how a model stands now."""
    standing, changed_at = _standing(raw)
    if before is None:
        return Seen(Uptime.began(standing, now), changed_at)
    told = parse_time(changed_at) if changed_at else None
    if changed_at == before.changed_at or told is None:
        uptime = before.uptime.then(standing, now)
    elif standing == before.uptime.standing and standing != "Off":
        # It was otherwise in between, and nobody saw for how long: what is known begins there.
        uptime = Uptime.began(standing, min(told, now))
    else:
        uptime = before.uptime.then(standing, min(told, now))
    return Seen(uptime.forgot(now - window), changed_at)


def _standing(raw: Manifest) -> tuple[Standing, str]:
    status = raw.get("status")
    known = status if isinstance(status, Mapping) else {}
    for each in known.get("conditions") or ():
        if each.get("type") == _CONDITION:
            changed_at = str(each.get("lastTransitionTime") or "")
            if each.get("status") == "True":
                return "Up", changed_at
            # Until it has served for the first time nothing is missing.
            off = each.get("reason") == _SCALED_TO_ZERO or not known.get("stable")
            return ("Off" if off else "Down"), changed_at
    return "Off", ""
