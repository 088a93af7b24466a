"""A transition of a plan as a CloudEvent 1.0: equal transitions give equal events, whoever makes them and when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from sentinel_operator.api.actionstatus import FINISHED
from sentinel_operator.core.actionplan.history import history_of
from sentinel_operator.core.conditions import truncated
from sentinel_operator.core.plan import Manifest

MEDIA = "application/cloudevents+json; charset=utf-8"
"""Structured mode: the whole event is one document, which a log or a queue may keep as it is."""
TYPE = "dev.sentinel.actionplan"
_DECISIONS, _NAME, _WORDS = 32, 253, 128
_TOLD_OF_DECISIONS = ("state", "message", "startedAt", "finishedAt")

Event = dict[str, Any]


def event(raw: Manifest, transition: Mapping[str, Any], *, cluster_id: str) -> Event:
    """Gives the event of a transition of a raw plan. It holds what does not change any more: of decisions what became
    of them only where the plan is over. It is smaller than 64 KiB, which every receiver of CloudEvents takes."""
    metadata, state, number = raw["metadata"], str(transition["state"]), int(transition["number"])
    uid = str(metadata["uid"])
    return {
        "specversion": "1.0",
        "id": f"{uid}-{number}",
        "source": source(cluster_id),
        "type": f"{TYPE}.{state.lower()}",
        "subject": f"{metadata.get('namespace', '')}/{metadata['name']}",
        "time": str(transition["at"]),
        "datacontenttype": "application/json",
        "partitionkey": uid,
        "sequence": f"{number:06}",
        "data": _data(raw, transition),
    }


def source(cluster_id: str) -> str:
    """Names this operator among those of all clusters, as a URI-reference."""
    cluster = f"/clusters/{quote(cluster_id, safe='')}" if cluster_id else ""
    return f"{cluster}/sentinel-operator"


def _data(raw: Manifest, transition: Mapping[str, Any]) -> Event:
    spec, status, state = _map(raw.get("spec")), _map(raw.get("status")), str(transition["state"])
    before = next((each["state"] for each in history_of(raw) if each["number"] == transition["number"] - 1), None)
    by = _map(status.get("requestedBy")).get("username")
    approval = _map(status.get("approval"))
    over = state in FINISHED
    said = {
        "planId": spec.get("planId"),
        "correlationId": spec.get("correlationId"),
        "source": spec.get("source"),
        "mode": spec.get("mode"),
        "requestedBy": by,
        "approvedBy": _map(approval.get("by")).get("username") if over else None,
    }
    found = spec.get("decisions")
    became = _became(status) if over else {}
    decisions = [_map(each) for each in found][:_DECISIONS] if isinstance(found, list) else []
    return {
        **{name: _cut(value, 512) for name, value in said.items() if value is not None},
        "number": transition["number"],
        **({"from": before} if before is not None else {}),
        "state": state,
        "message": _cut(transition.get("message"), 1024),
        "decisions": [_decision(each) | became.get(str(each.get("id")), {}) for each in decisions],
    }


def _decision(decision: Mapping[str, Any]) -> Event:
    target = _map(decision.get("target"))
    return {
        "id": _cut(decision.get("id"), 63),
        "verb": _cut(decision.get("verb"), 63),
        "target": {
            name: _cut(target[name], _NAME)
            for name in ("apiVersion", "kind", "namespace", "name")
            if target.get(name) is not None
        },
    }


def _became(status: Mapping[str, Any]) -> dict[str, Event]:
    found = status.get("decisions")
    records = [_map(each) for each in found] if isinstance(found, list) else []
    return {
        str(each.get("id")): {name: _cut(each[name], _WORDS) for name in _TOLD_OF_DECISIONS if each.get(name)}
        for each in records
    }


def _cut(value: object, limit: int) -> str:
    return truncated("" if value is None else str(value), limit)


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
