"""What an ActionPolicy may not say, and what its author is warned of."""

from __future__ import annotations

from typing import Any

import pytest

from sentinel_operator.core.admission.actionpolicy import validate
from sentinel_operator.core.admission.verdict import Requester, Review
from tests.unit.policy.scenes import rule

WINDOW = {"start": "2026-12-24T00:00:00Z", "end": "2026-12-27T00:00:00Z"}


def judged(**spec: Any) -> Any:
    raw = {"metadata": {"name": "guard"}, "spec": spec}
    return validate(Review(kind="ActionPolicy", new=raw, old=None, requester=Requester(username="alice")))


@pytest.mark.parametrize(
    ("bound", "said"),
    [
        (rule("CEL", expression="decision.verb =="), "rules[0].cel.expression: is no CEL: unexpected text"),
        (rule("CEL", expression="object.spec"), "object is unknown: there are decision, identity, plan"),
        (rule("CEL", expression="1 < 2"), "depends on nothing"),
        (rule("CEL", expression="leak(decision)"), "there is no function leak"),
        (
            rule("CEL", expression="identity.groups.all(a, identity.groups.all(b, identity.groups.all(c, c == a)))"),
            "nests more than 2 of all, exists, map and filter",
        ),
        (rule("ChangeFreeze", recurring=[{"timezone": "Mars/Olympus"}]), "there is no time zone 'Mars/Olympus'"),
        (rule("ChangeFreeze", windows=[{**WINDOW, "end": WINDOW["start"]}]), "windows[0].end: must be after start"),
        (rule("ChangeFreeze", windows=[{**WINDOW, "end": "2026-12-32T00:00:00Z"}]), "windows[0].end: is no moment"),
        (rule("ChangeFreeze", recurring=[{"days": ["Sonntag"]}]), 'days[0]: Unsupported value: "Sonntag"'),
        (rule("Quota", maxReplicas=-1), "maxReplicas: should be greater than or equal to 0"),
        ({"type": "Budget"}, 'rules[0].type: Unsupported value: "Budget"'),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_it_is_refused_at_its_field(bound: dict[str, Any], said: str):
    assert said in judged(rules=[bound]).message


def test_an_author_is_warned_of_what_has_no_effect_or_too_much():
    assert judged().warnings == ("spec.rules is empty: nothing is judged by it",)
    assert judged(rules=[rule("Quota", maxReplicas=1)], mode="Audit").warnings == (
        "spec.mode is Audit: nothing is kept from being done",
    )
    assert judged(rules=[rule("RateLimit", maxPerHour=0)]).warnings == (
        "spec.rules[0].rateLimit is 0: nothing that matches is done",
    )
