"""Who made a plan and who approved it: as the API server says, whatever the request says."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

from sentinel_operator.api.rules import FIXED
from sentinel_operator.core.actionplan.stamps import APPROVED_BY, REQUESTED_BY, approver, requester
from sentinel_operator.core.admission.actionplan import asks_for_approval, stamped, validate
from sentinel_operator.core.admission.verdict import Requester, Review
from tests.unit.crdgen.rule_cases import accepted

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
PLAN = next(each for each in accepted() if each["metadata"]["name"] == "dry-run")
ALICE, BOB = Requester(username="alice", groups=("ops",)), Requester(username="bob")


def review(new: dict[str, Any], old: dict[str, Any] | None, who: Requester) -> Review:
    return Review(kind="ActionPlan", new=new, old=old, requester=who)


def with_stamps(raw: dict[str, Any], stamps: dict[str, str | None]) -> dict[str, Any]:
    out = copy.deepcopy(raw)
    out["metadata"]["annotations"] = {name: value for name, value in stamps.items() if value is not None}
    return out


def made(by: Requester = ALICE) -> dict[str, Any]:
    return with_stamps(PLAN, stamped(review(PLAN, None, by), NOW))


def test_whoever_creates_it_is_recorded_over_what_they_claim():
    forged = with_stamps(PLAN, {REQUESTED_BY: '{"username":"root"}', APPROVED_BY: '{"username":"root"}'})
    raw = with_stamps(PLAN, stamped(review(forged, None, ALICE), NOW))
    found = requester(raw)
    assert found is not None
    assert (found.username, found.groups) == ("alice", {"ops"})
    assert approver(raw) is None


def test_whoever_approves_it_is_recorded_and_whoever_edits_it_later_is_not():
    before = made()
    after = copy.deepcopy(before)
    after["spec"]["approval"] = {"decision": "Approve"}
    after["metadata"]["annotations"][APPROVED_BY] = '{"username":"root"}'
    asked = review(after, before, BOB)
    assert asks_for_approval(asked)
    approved = with_stamps(after, stamped(asked, NOW))
    stamp, who = approver(approved), requester(approved)
    assert stamp is not None
    assert who is not None
    assert (stamp.by.username, stamp.at, who.username) == ("bob", "2026-01-31T12:00:00Z", "alice")
    suspended = copy.deepcopy(approved)
    suspended["spec"]["suspend"] = True
    suspended["metadata"]["annotations"] = {}
    later = review(suspended, approved, ALICE)
    assert not asks_for_approval(later)
    assert stamped(later, NOW) == approved["metadata"]["annotations"]


def test_an_approval_that_is_taken_away_is_nobodys():
    before = made()
    before["spec"]["approval"] = {"decision": "Approve"}
    before["metadata"]["annotations"][APPROVED_BY] = '{"username":"bob"}'
    after = copy.deepcopy(before)
    del after["spec"]["approval"]
    asked = review(after, before, ALICE)
    assert asks_for_approval(asked)
    assert stamped(asked, NOW)[APPROVED_BY] is None


def test_an_edit_of_a_judged_plan_is_refused_at_its_field():
    before, after = made(), made()
    after["spec"]["decisions"][0]["params"] = {"full": "false"}
    after["spec"]["mode"] = "Enforce"
    said = [str(each) for each in validate(review(after, before, ALICE)).errors]
    assert said == [
        f"spec.mode: {FIXED}",
        f"spec.decisions: {FIXED}",
    ]
    assert validate(review(before, made(), BOB)).errors == ()


def test_a_stamp_that_says_otherwise_is_refused():
    assert validate(review(made(), None, ALICE)).errors == ()
    forged = [str(each) for each in validate(review(made(), None, BOB)).errors]
    assert forged == ["metadata.annotations[sentinel.dev/requester]: must be what admission has made of the request"]
    assert validate(review(PLAN, None, ALICE)).errors != (), "nor is it left out"
    before, after = made(), made()
    after["spec"]["approval"] = {"decision": "Approve"}
    asked = review(after, before, BOB)
    assert validate(asked).errors != ()
    assert validate(review(with_stamps(after, stamped(asked, NOW)), before, BOB)).errors == ()
    assert validate(review(with_stamps(after, stamped(asked, NOW)), before, ALICE)).errors != ()
