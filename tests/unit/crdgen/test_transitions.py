"""What may not be edited: the API server's rule and our own comparison give one verdict."""

from __future__ import annotations

import copy
from typing import Any

import celpy
import pytest

from sentinel_operator.api.kinds import ACTION_PLAN
from tests.unit.crdgen.rule_cases import accepted, schema_of

PLAN = next(each for each in accepted() if each["metadata"]["name"] == "every-verb")
EDITS: dict[str, Any] = {
    "planId": "other",
    "source": "alice",
    "correlationId": "other",
    "createdAt": "2026-01-31T12:00:01Z",
    "mode": "DryRun",
    "decisions": [],
    "verify": None,
    "onFailure": "Stop",
    "evidence": {},
    "approval": {"decision": "Reject"},
    "suspend": True,
}


def refused_by_the_api_server(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    environment, fields = celpy.Environment(), set()
    for rule in schema_of(ACTION_PLAN)["properties"]["spec"]["x-kubernetes-validations"]:
        if "oldSelf" not in rule["rule"]:
            continue
        values = {"self": celpy.json_to_cel(after), "oldSelf": celpy.json_to_cel(before)}
        if not environment.program(environment.compile(rule["rule"])).evaluate(values):
            fields.add(rule["fieldPath"].removeprefix("."))
    return fields


def test_every_field_of_a_plan_is_tried():
    assert set(EDITS) == {field.alias or name for name, field in ACTION_PLAN.spec.model_fields.items()}


@pytest.mark.parametrize("field", EDITS)
def test_a_plan_cannot_be_edited_after_it_was_judged(field: str):
    before = PLAN["spec"]
    after = copy.deepcopy(before)
    if EDITS[field] is None:
        del after[field]
    else:
        after[field] = EDITS[field]
    wanted = set() if field in {"approval", "suspend"} else {field}
    assert refused_by_the_api_server(before, after) == wanted
    assert refused_by_the_api_server(after, before) == wanted
    assert ACTION_PLAN.edits is not None
    assert set(ACTION_PLAN.edits.edited(before, after)) == wanted


def test_applying_it_again_is_no_edit():
    assert refused_by_the_api_server(PLAN["spec"], copy.deepcopy(PLAN["spec"])) == set()
