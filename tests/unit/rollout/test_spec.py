"""What may be declared: each refusal says what to do, in CEL as in Python."""

from __future__ import annotations

from typing import Annotated, Any

import celpy
import pytest
from pydantic import TypeAdapter, ValidationError

from sentinel_operator.api.rollout import (
    CANARY_STEP_RULES,
    PROMOTE_RULES,
    ROLLBACK_WINDOW_RULES,
    ROLLOUT_SPEC_RULES,
    SET_SCALE_RULES,
    CanaryStep,
    Promote,
    RollbackWindow,
    RolloutSpec,
    SetScale,
)
from sentinel_operator.api.rules import Rules

CASES: list[tuple[Any, Rules, dict[str, Any], str]] = [
    (RolloutSpec, ROLLOUT_SPEC_RULES, {}, ""),
    (RolloutSpec, ROLLOUT_SPEC_RULES, {"abort": "b"}, ""),
    (RolloutSpec, ROLLOUT_SPEC_RULES, {"abort": "b", "paused": "b"}, "set at most one of"),
    (RolloutSpec, ROLLOUT_SPEC_RULES, {"retry": {"revision": "b"}, "abort": "b"}, "set at most one of"),
    (
        RolloutSpec,
        ROLLOUT_SPEC_RULES,
        {"promote": {"revision": "b", "full": True}, "rollbackTo": {"revision": "a", "insteadOf": "b"}},
        "set at most one of",
    ),
    (RolloutSpec, ROLLOUT_SPEC_RULES, {"maxSurge": 0}, "no pod could ever be replaced"),
    (RolloutSpec, ROLLOUT_SPEC_RULES, {"maxSurge": "0%", "maxUnavailable": 1}, ""),
    (CanaryStep, CANARY_STEP_RULES, {"setWeight": 10}, ""),
    (CanaryStep, CANARY_STEP_RULES, {"pause": {}}, ""),
    (CanaryStep, CANARY_STEP_RULES, {}, "set exactly one of"),
    (CanaryStep, CANARY_STEP_RULES, {"setWeight": 10, "pause": {}}, "set exactly one of"),
    (SetScale, SET_SCALE_RULES, {"replicas": 1}, ""),
    (SetScale, SET_SCALE_RULES, {}, "set exactly one of"),
    (SetScale, SET_SCALE_RULES, {"replicas": 1, "percent": 10}, "set exactly one of"),
    (Promote, PROMOTE_RULES, {"revision": "b", "step": 0}, ""),
    (Promote, PROMOTE_RULES, {"revision": "b", "full": True}, ""),
    (Promote, PROMOTE_RULES, {"revision": "b"}, "set either step or full"),
    (Promote, PROMOTE_RULES, {"revision": "b", "step": 1, "full": True}, "set either step or full"),
    (RollbackWindow, ROLLBACK_WINDOW_RULES, {"duration": "72h"}, ""),
    (RollbackWindow, ROLLBACK_WINDOW_RULES, {}, "set revisions, duration or both"),
]


@pytest.mark.parametrize(("model", "marked", "value", "message"), CASES)
def test_cel_and_python_agree(model, marked, value, message):
    try:
        TypeAdapter(Annotated[model, marked]).validate_python(value)
        told = ""
    except ValidationError as error:
        told = str(error)
    assert (message in told) if message else not told
    defaults = {
        field.alias: field.default
        for field in model.model_fields.values()
        if isinstance(field.default, str | int) and field.alias
    }
    seen = celpy.json_to_cel({**defaults, **value})
    environment = celpy.Environment()
    verdicts = [environment.program(environment.compile(rule.rule)).evaluate({"self": seen}) for rule in marked.cel]
    assert all(verdicts) == (not message)


@pytest.mark.parametrize(
    "value",
    [
        {"canary": {"steps": []}},
        {"canary": {"steps": [{"setWeight": 101}]}},
        {"canary": {"steps": [{"pause": {"duration": "48h"}}]}},
        {"canary": {"steps": [{"gate": {"webhook": {"url": "ftp://x"}}}]}},
        {"canary": {"steps": [{"gate": {"webhook": {"url": "http://user:word@x/"}}}]}},
        {"shadow": {"percent": 0}},
        {"hotSwap": {"replay": 10_001}},
        {"abort": "Not a revision"},
        {"strategy": "BigBang"},
    ],
    ids=str,
)
def test_what_is_out_of_bounds_is_refused(value):
    with pytest.raises(ValidationError):
        RolloutSpec.model_validate(value)
