"""What other plans mean for one: whether it was there before, is overtaken, what is under way, and what was begun."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sentinel_operator.api.actionstatus import ACTING
from sentinel_operator.core.actionplan.stamps import requester
from sentinel_operator.core.conditions import parse_time
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.policy.facts import Identity
from sentinel_operator.core.policy.rates import Ledger, Start, starts, target_key
from sentinel_operator.core.targets import TargetKey

JUDGED_WELL = frozenset({"AwaitingApproval", "Approved", "Scheduled", "Executing", "Verifying", "Completed"})
_WENT_WRONG = frozenset({"Failed", "RollingBack", "RolledBack"})
Said = tuple[str, TargetKey | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """All of it as of now."""

    duplicate_of: str = ""
    """An earlier plan with the same planId of the same source."""
    superseded_by: str = ""
    """A later plan of the same source that says all anew that this one says."""
    in_flight: frozenset[TargetKey] = frozenset()
    """What other plans have in change."""
    ledger: Ledger = field(default_factory=Ledger)
    """What was begun, by all plans."""
    last_failure: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """What others have to know of a plan. Reading it tolerates whatever does not validate."""

    uid: str
    name: str
    age: tuple[str, str]
    plan_id: tuple[str, str]
    """With the source that it claims."""
    by: Identity | None
    enforced: bool
    said: frozenset[Said]
    targets: frozenset[TargetKey]
    state: str
    starts: tuple[Start, ...]
    failed_at: datetime | None

    @classmethod
    def of(cls, raw: Manifest) -> Digest:
        """Reads a raw plan."""
        metadata, spec = raw["metadata"], _map(raw.get("spec"))
        state = str(_map(raw.get("status")).get("state") or "")
        return cls(
            uid=metadata["uid"],
            name=f"{metadata.get('namespace', '')}/{metadata['name']}",
            age=(str(metadata.get("creationTimestamp") or ""), str(metadata["uid"])),
            plan_id=(str(spec.get("planId")), str(spec.get("source"))),
            by=requester(raw),
            enforced=spec.get("mode", "Enforce") == "Enforce",
            said=_said(raw),
            targets=targets_of(raw),
            state=state,
            starts=tuple(starts(raw)),
            failed_at=_failed_at(raw) if state in _WENT_WRONG else None,
        )

    @property
    def acts(self) -> bool:
        """Tells whether it has its targets to itself."""
        return self.state in ACTING

    @property
    def is_taken(self) -> bool:
        """Tells whether it has its planId for good: what comes to light later, however old, is the same one again."""
        return self.state not in ("", "Pending", "Rejected")

    def is_twin_of(self, other: Digest) -> bool:
        """Tells whether it takes the other's planId. A plan of somebody else that merely claims the source, and was
        rejected for it, takes no planId from anybody."""
        return self.plan_id == other.plan_id and (self.by == other.by or self.state != "Rejected")

    def says_anew(self, other: Digest) -> bool:
        """Tells whether it is a later word of the same source on everything that the other says."""
        if self.state not in JUDGED_WELL or self.age <= other.age or not (self.enforced and other.enforced):
            return False
        return self.plan_id[1] == other.plan_id[1] and self.by == other.by and other.said <= self.said


def neighbours(raw: Manifest, others: Iterable[Manifest]) -> Neighbours:
    """Reads the other plans, the plan itself among them or not. Whoever asks often keeps a PlanIndex."""
    me = Digest.of(raw)
    known = {each.uid: each for each in map(Digest.of, others)}
    rest = [each for uid, each in known.items() if uid != me.uid]
    return weigh(
        me,
        twins=rest,
        later=rest,
        in_flight=frozenset(target for each in rest if each.acts for target in each.targets),
        ledger=Ledger(start for each in {**known, me.uid: me}.values() for start in each.starts),
        last_failure=max((each.failed_at for each in rest if each.failed_at is not None), default=None),
    )


def weigh(
    me: Digest,
    *,
    twins: Iterable[Digest],
    later: Iterable[Digest],
    in_flight: frozenset[TargetKey],
    ledger: Ledger,
    last_failure: datetime | None,
) -> Neighbours:
    """Says what the others mean for a plan; `twins` and `later` are those that may be."""
    before = (each for each in twins if each.is_twin_of(me) and (each.age < me.age or each.is_taken))
    earlier = min((each.name for each in before), default="")
    anew = max(((each.age, each.name) for each in later if each.says_anew(me)), default=None)
    return Neighbours(
        duplicate_of=earlier,
        superseded_by=anew[1] if anew is not None else "",
        in_flight=in_flight - me.targets,
        ledger=ledger,
        last_failure=last_failure,
    )


def targets_of(raw: Manifest) -> frozenset[TargetKey]:
    """Gives the targets of a raw plan: what it would change, and the nodes that it moves pods off."""
    spec, namespace = _map(raw.get("spec")), str(raw["metadata"].get("namespace") or "")
    found = set()
    for decision in _decisions(spec):
        key = target_key(decision.get("target"), namespace)
        if key is not None:
            found.add(key)
        node = _map(decision.get("params")).get("node")
        if decision.get("verb") == "reschedule" and isinstance(node, str):
            found.add(TargetKey("Node", "", node))
    return frozenset(found)


def verbs_of(raw: Manifest) -> Mapping[TargetKey, frozenset[str]]:
    """Gives what a raw plan does to each of its targets."""
    found: dict[TargetKey, frozenset[str]] = {}
    for verb, key in _said(raw):
        if key is not None:
            found[key] = found.get(key, frozenset()) | {verb}
    return found


def _said(raw: Manifest) -> frozenset[Said]:
    namespace = str(raw["metadata"].get("namespace") or "")
    decisions = _decisions(_map(raw.get("spec")))
    return frozenset((str(each.get("verb")), target_key(each.get("target"), namespace)) for each in decisions)


def _failed_at(raw: Manifest) -> datetime | None:
    status, created = _map(raw.get("status")), raw["metadata"].get("creationTimestamp")
    moments = (parse_time(str(text)) for text in (status.get("finishedAt"), status.get("startedAt"), created) if text)
    return next((each for each in moments if each is not None), None)


def _decisions(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = spec.get("decisions")
    return [_map(each) for each in found] if isinstance(found, list) else []


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
