"""Who created a plan and who approved it: written by admission into annotations, from what the API server has
authenticated, over whatever stood there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.policy.facts import Identity

REQUESTED_BY = "sentinel.dev/requester"
APPROVED_BY = "sentinel.dev/approver"
STAMPS = (REQUESTED_BY, APPROVED_BY)
_MOST_GROUPS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalStamp:
    """Who has set spec.approval, and when."""

    by: Identity
    at: str


def written(who: Identity, *, at: str = "") -> str:
    """Writes somebody as an annotation."""
    shown = {"username": who.username, "groups": sorted(who.groups)[:_MOST_GROUPS], **({"at": at} if at else {})}
    return json.dumps(shown, separators=(",", ":"))


def requester(raw: Manifest) -> Identity | None:
    """Gives who created the object; None where admission has said nothing."""
    return _identity(_read(raw, REQUESTED_BY))


def approver(raw: Manifest) -> ApprovalStamp | None:
    """Gives who approved or rejected it; None where admission has said nothing."""
    found = _read(raw, APPROVED_BY)
    by = _identity(found)
    return ApprovalStamp(by=by, at=str(found.get("at") or "")) if by is not None else None


def _identity(found: Mapping[str, Any]) -> Identity | None:
    username, groups = found.get("username"), found.get("groups")
    if not isinstance(username, str) or not username:
        return None
    return Identity(username=username, groups=frozenset(map(str, groups if isinstance(groups, list) else ())))


def _read(raw: Manifest, name: str) -> Mapping[str, Any]:
    text = (raw["metadata"].get("annotations") or {}).get(name)
    try:
        found = json.loads(text) if isinstance(text, str) else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
