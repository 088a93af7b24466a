"""A brain's plan as an ActionPlan: read, looked up, written. What is no plan is refused by the name of its field."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, get_args

from sentinel_operator.api.actionplan import MAX_DECISIONS, OnFailure, PlanMode
from sentinel_operator.api.kinds import ACTION_PLAN
from sentinel_operator.core.admission.actionplan import read as judged
from sentinel_operator.core.admission.verdict import Verdict
from sentinel_operator.core.bridge import evidence
from sentinel_operator.core.bridge.decision import Wish, read_decision
from sentinel_operator.core.bridge.marks import BRIDGE, CONTENT, label_of, name_of
from sentinel_operator.core.bridge.metrics import read_metrics
from sentinel_operator.core.bridge.target import Sought, kind_of
from sentinel_operator.core.bridge.words import Json, Untranslatable, choice, integer, items, mapping, text
from sentinel_operator.core.conditions import rfc3339
from sentinel_operator.core.plan import Manifest

_KNOWN = (
    "plan_id",
    "decisions",
    "source",
    "created_at",
    "correlation_id",
    "mode",
    "on_failure",
    "verify",
    "evidence",
)
_MODES: tuple[str, ...] = get_args(PlanMode)
_ON_FAILURE: tuple[str, ...] = get_args(OnFailure)
_LATEST = 4_102_444_800  # the year 2100: what is later is no number of seconds
_MOST_METRICS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a brain wants done, before it is known which objects are there."""

    plan_id: str
    content: str
    """A digest of what would be done: who says so, when and why is no part of it."""
    wishes: tuple[Wish, ...]
    rest: dict[str, Any]
    """Members of an ActionPlan's spec but for its source and its decisions."""

    def sought(self, namespace: str) -> tuple[Sought, ...]:
        """Gives the workloads whose kinds have to be looked up."""
        found = (wish.target.sought(wish.verb, namespace) for wish in self.wishes)
        return tuple(each for each in found if each is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Under which names plans are proposed."""

    namespace: str
    source: str
    cluster_id: str


_ANYWHERE = Terms(namespace="default", source="bridge", cluster_id="")


def plan_id_of(said: object) -> str:
    """Gives the planId of whatever a brain says, for the answer; empty where it has none."""
    value = said.get("plan_id") if isinstance(said, Mapping) else None
    return str(value)[:256] if isinstance(value, str | int) else ""


def read(said: object, *, now: datetime) -> Proposal:
    """Reads a plan; raises Untranslatable, naming the member at fault. All is judged that needs nobody to be asked."""
    if not isinstance(said, dict):
        raise Untranslatable("", "a plan must be an object")
    unknown = sorted(str(each) for each in said if each not in _KNOWN and not evidence.is_evidence(str(each)))
    if unknown:
        raise Untranslatable(unknown[0][:64], f"is not known: use {', '.join(_KNOWN)}")
    decisions = items(said, "decisions", most=MAX_DECISIONS)
    if not decisions:
        raise Untranslatable("decisions", "must hold at least one decision")
    wishes = tuple(read_decision(each, index=index) for index, each in enumerate(decisions))
    reasons = [*evidence.of_plan(said), *(reason for wish in wishes for reason in wish.reasons)]
    doing = {
        "mode": choice(said, "mode", _MODES),
        "onFailure": choice(said, "on_failure", _ON_FAILURE),
        "verify": _verify(mapping(said, "verify")),
    }
    content = _digest([doing, *([asdict(wish.target), wish.rest] for wish in wishes)])
    plan_id = text(said, "plan_id", most=128) or f"unnamed-{content[:16]}-{now:%Y%m%dT%H}"
    optional = {
        **doing,
        "correlationId": text(said, "correlation_id", most=128),
        "createdAt": _created_at(said),
        "evidence": evidence.written(reasons),
    }
    rest = {"planId": plan_id, **{name: value for name, value in optional.items() if value}}
    proposal = Proposal(plan_id=plan_id, content=content, wishes=wishes, rest=rest)
    _ = write(proposal, _anything(proposal), _ANYWHERE)  # whatever is there, it must be a plan
    return proposal


def write(proposal: Proposal, found: Mapping[Sought, frozenset[str]], terms: Terms) -> Manifest:
    """Gives the ActionPlan, which admission takes; `found` are the kinds of what was sought. Raises Untranslatable."""
    decisions = []
    for wish in proposal.wishes:
        sought = wish.target.sought(wish.verb, terms.namespace)
        kind = kind_of(sought, found) if sought is not None else ""
        decisions.append({**wish.rest, "target": wish.target.as_manifest(kind)})
    manifest: Manifest = {
        "apiVersion": ACTION_PLAN.api_version,
        "kind": ACTION_PLAN.kind,
        "metadata": {
            "name": name_of(proposal.plan_id),
            "namespace": terms.namespace,
            "labels": {BRIDGE: label_of(terms.cluster_id)},
            "annotations": {CONTENT: proposal.content},
        },
        "spec": {**proposal.rest, "source": terms.source, "decisions": decisions},
    }
    _, errors = judged(manifest)
    if errors:
        raise Untranslatable("", said_to_a_brain(Verdict(errors=errors).message))
    return manifest


def said_to_a_brain(message: str) -> str:
    """Names fields as the brain does: decisions[0].depends_on for spec.decisions[0].dependsOn."""

    def plain(match: re.Match[str]) -> str:
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", match[1]).lower()

    return re.sub(r"\bspec\.([A-Za-z0-9_.\[\]]*[A-Za-z0-9_\]])", plain, message)


def _anything(proposal: Proposal) -> dict[Sought, frozenset[str]]:
    """Gives an answer to what is sought, before anybody is asked."""
    return {each: frozenset(each.kinds[:1]) for each in proposal.sought(_ANYWHERE.namespace)}


def _verify(said: Json) -> dict[str, Any]:
    if not said:
        return {}
    if unknown := sorted(set(said) - {"metrics", "timeout"}):
        raise Untranslatable(f"verify.{unknown[0][:64]}", "is not known: use metrics, timeout")
    metrics = read_metrics(items(said, "metrics", path="verify", most=_MOST_METRICS), path="verify.metrics")
    timeout = text(said, "timeout", path="verify", most=32)
    return {"metrics": metrics, **({"timeout": timeout} if timeout else {})}


def _created_at(said: Json) -> str:
    seconds = integer(said, "created_at")
    if not seconds:
        return ""
    if not 0 < seconds < _LATEST:
        raise Untranslatable("created_at", f"must be Unix time in seconds, not {seconds}")
    return rfc3339(datetime.fromtimestamp(seconds, UTC))


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
