"""The examples are what admission accepts, and what the documentation says of them is so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from sentinel_operator.api.actionpolicy import MEMBERS
from sentinel_operator.api.actionstatus import FINISHED
from sentinel_operator.api.actionverbs import KINDS_OF
from sentinel_operator.api.kinds import ACTION_PLAN, ACTION_POLICY, SENTINEL_CONFIG
from sentinel_operator.core.admission import actionplan, actionpolicy, sentinelconfig
from sentinel_operator.core.policy.compiled import compiled
from sentinel_operator.core.policy.policy import Policy

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = [
    document
    for path in sorted((ROOT / "examples" / "actions").glob("*.yaml"))
    for document in yaml.safe_load_all(path.read_text())
]
GUIDE = (ROOT / "docs" / "actions.md").read_text()


READ = {"ActionPlan": actionplan.read, "ActionPolicy": actionpolicy.read, "SentinelConfig": sentinelconfig.read}


@pytest.fixture(params=EXAMPLES, ids=lambda each: f"{each['kind']}-{each['metadata']['name']}")
def manifest(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = request.param
    return found


def test_there_are_plans_and_policies():
    assert {each["kind"] for each in EXAMPLES} == set(READ)


def test_admission_has_nothing_to_say_against_it(manifest: dict[str, Any]):
    assert READ[manifest["kind"]](manifest)[1] == ()


def test_no_field_is_misspelt(manifest: dict[str, Any]):
    kind = {each.kind: each for each in (ACTION_PLAN, ACTION_POLICY, SENTINEL_CONFIG)}[manifest["kind"]]
    parsed = kind.spec.model_validate(manifest["spec"])
    assert parsed.model_dump(mode="json", by_alias=True, exclude_unset=True) == manifest["spec"]


def test_the_weekend_is_held_by_the_api_server_itself():
    weekend = Policy.of(yaml.safe_load((ROOT / "examples" / "actions" / "policy-weekend.yaml").read_text()))
    assert [each.coverage for each in compiled(weekend, [weekend]).clauses] == ["Whole"]


def test_every_example_that_the_guide_names_is_there():
    named = set(re.findall(r"examples/actions/[a-z-]+\.yaml", GUIDE))
    assert named
    assert all((ROOT / each).exists() for each in named)


def test_the_guide_knows_every_verb_rule_and_end():
    assert all(f"| `{verb}` |" in GUIDE for verb in KINDS_OF)
    assert all(f"`{type_}`" in GUIDE for type_ in MEMBERS)
    assert all(state in GUIDE for state in FINISHED)


SHOWN = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)]


@pytest.mark.parametrize("raw", SHOWN, ids=lambda raw: raw["kind"])
def test_what_the_guide_shows_is_accepted(raw: dict[str, Any]):
    assert READ[raw["kind"]](raw)[1] == ()
    kind = {each.kind: each for each in (ACTION_PLAN, ACTION_POLICY, SENTINEL_CONFIG)}[raw["kind"]]
    assert (
        kind.spec.model_validate(raw["spec"]).model_dump(mode="json", by_alias=True, exclude_unset=True) == raw["spec"]
    )
