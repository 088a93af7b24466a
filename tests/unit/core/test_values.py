"""Hashes, shares, names and conditions: the small values that everything else is made of."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sentinel_operator.api.conditions import Condition
from sentinel_operator.core.conditions import Finding, conditions, parse_time, rfc3339
from sentinel_operator.core.hashing import canonical_json, hash8
from sentinel_operator.core.intstr import resolve
from sentinel_operator.core.names import Owner, as_selector, revision_name
from tests.support.builders import NOW, UID

OWNER = Owner("sentinel.dev/v1alpha1", "SentryModel", "team-a", "fraud", UID)


def test_equal_values_have_equal_hashes_whatever_the_order_of_their_keys():
    assert hash8({"a": 1, "b": [1, 2]}) == hash8({"b": [1, 2], "a": 1})
    assert hash8({"a": [1, 2]}) != hash8({"a": [2, 1]})


def test_canonical_json_is_the_same_bytes_everywhere():
    assert canonical_json({"ü": 0.85, "a": None}) == '{"a":null,"ü":0.85}'.encode()


def test_what_json_cannot_say_is_refused():
    with pytest.raises(ValueError, match="Out of range float"):
        canonical_json({"threshold": float("nan")})


@pytest.mark.parametrize(
    ("value", "of", "up", "down"),
    [(2, 10, 2, 2), ("25%", 4, 1, 1), ("25%", 3, 1, 0), ("25%", 0, 0, 0), ("100%", 7, 7, 7), ("0%", 7, 0, 0)],
)
def test_a_share_is_rounded_as_asked(value, of, up, down):
    assert resolve(value, of=of, round_up=True) == up
    assert resolve(value, of=of, round_up=False) == down


def test_other_text_is_no_share():
    with pytest.raises(ValueError, match="neither a number nor a percentage"):
        resolve("many", of=3, round_up=True)


def test_the_users_labels_never_replace_those_by_which_children_are_found():
    labels = OWNER.labels("server", revision="1a2b3c4d", extra={"team": "risk", "sentinel.dev/name": "other"})
    assert labels["team"] == "risk"
    assert labels["sentinel.dev/name"] == "fraud"
    assert labels.items() >= OWNER.revision_selector("1a2b3c4d").items()


def test_the_longest_name_that_is_allowed_still_names_a_revision():
    assert len(revision_name("m" * 52, "1a2b3c4d")) <= 63


def test_a_selector_reads_as_kubectl_reads_it():
    assert as_selector(OWNER.selector) == "sentinel.dev/kind=SentryModel,sentinel.dev/name=fraud"


def test_a_namesakes_child_is_not_owned():
    child = {"metadata": {"ownerReferences": [{**OWNER.reference(), "uid": "another"}]}}
    assert not OWNER.owns(child)
    assert OWNER.owns({"metadata": {"ownerReferences": [OWNER.reference()]}})


def _condition(**changes: str) -> Condition:
    fields = {"type": "Ready", "status": "False", "reason": "Progressing", "message": "1 of 3"}
    return Condition.model_validate({**fields, "lastTransitionTime": "2025-01-01T00:00:00Z", **changes})


def test_the_time_of_a_condition_moves_only_when_its_status_flips():
    later = NOW + timedelta(hours=1)
    same = conditions([Finding("Ready", "False", "NotFound", "gone")], previous=[_condition()], generation=2, now=later)
    flipped = conditions([Finding("Ready", "True", "Ready")], previous=[_condition()], generation=2, now=later)
    assert same[0].last_transition_time == "2025-01-01T00:00:00Z"
    assert (same[0].reason, same[0].message, same[0].observed_generation) == ("NotFound", "gone", 2)
    assert flipped[0].last_transition_time == rfc3339(later)


def test_conditions_come_in_one_order_with_the_summary_first():
    found = [
        Finding(each, "True", "Some") for each in ("ModelVerified", "Stalled", "Available", "Reconciling", "Ready")
    ]
    ordered = conditions(found, previous=(), generation=1, now=NOW)
    assert [each.type for each in ordered] == ["Ready", "Reconciling", "Stalled", "Available", "ModelVerified"]


def test_a_message_that_quotes_others_is_bounded():
    message = conditions([Finding("Ready", "True", "Ready", "x" * 5000)], previous=(), generation=1, now=NOW)[0].message
    assert len(message) == 1024
    assert message.endswith("…")


def test_times_are_read_as_kubernetes_writes_them():
    assert parse_time(rfc3339(NOW)) == NOW
    assert parse_time("2025-03-01T12:00:00.123456Z") is not None
    assert parse_time("yesterday") is None
