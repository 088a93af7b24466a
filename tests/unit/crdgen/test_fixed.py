"""What of a spec stays as it was created: the rules that compare a value with the one before."""

from __future__ import annotations

import celpy
import pytest

from sentinel_operator.api.kinds import KINDS, SCAN_JOB, Kind
from sentinel_operator.api.rules import FIXED, VALIDATIONS
from tests.unit.crdgen.rule_cases import schema_of

EARLIER, LATER = {"uri": "s3://a/"}, {"uri": "s3://b/"}


def fixed(kind: Kind) -> dict[str, str]:
    """Gives the rules by their member."""
    rules = schema_of(kind)["properties"]["spec"].get(VALIDATIONS, ())
    return {rule["fieldPath"].removeprefix("."): rule["rule"] for rule in rules if "oldSelf" in rule["rule"]}


def holds(rule: str, before: object, after: object) -> bool:
    environment = celpy.Environment()
    given = {"oldSelf": celpy.json_to_cel(before), "self": celpy.json_to_cel(after)}
    return bool(environment.program(environment.compile(rule)).evaluate(given))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_every_member_is_either_fixed_or_changeable(kind: Kind):
    members = set(schema_of(kind)["properties"]["spec"]["properties"])
    assert set(fixed(kind)) == (set() if kind.changeable is None else members - kind.changeable)
    assert (kind.changeable or frozenset()) <= members


def test_a_scan_is_what_it_was_created_as_but_for_its_pace_and_its_end():
    assert set(schema_of(SCAN_JOB)["properties"]["spec"]["properties"]) - set(fixed(SCAN_JOB)) == {
        "suspend",
        "parallelism",
        "ttlSecondsAfterFinished",
    }
    rules = schema_of(SCAN_JOB)["properties"]["spec"][VALIDATIONS]
    assert {rule["message"] for rule in rules if "oldSelf" in rule["rule"]} == {FIXED}


def test_what_is_always_set_must_be_equal():
    rule = fixed(SCAN_JOB)["source"]
    assert holds(rule, {"source": EARLIER}, {"source": EARLIER})
    assert not holds(rule, {"source": EARLIER}, {"source": LATER})


def test_what_may_be_unset_must_be_equal_or_unset_as_before():
    rule = fixed(SCAN_JOB)["cache"]
    assert holds(rule, {}, {})
    assert holds(rule, {"cache": EARLIER}, {"cache": EARLIER})
    assert not holds(rule, {"cache": EARLIER}, {"cache": LATER})
    assert not holds(rule, {}, {"cache": LATER})
    assert not holds(rule, {"cache": EARLIER}, {})
