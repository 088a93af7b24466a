"""Who created an object: what the annotation must hold, whatever is sent."""

from __future__ import annotations

import pytest

from sentinel_operator.core.admission.requested import forged, stamped
from sentinel_operator.core.admission.verdict import Requester, Review

ANNOTATION = "sentinel.dev/requested-by"


def an_object(by: str | None = None) -> dict:
    annotations = {"team": "a", **({ANNOTATION: by} if by is not None else {})}
    return {"metadata": {"name": "x", "annotations": annotations}}


def review(new: dict, old: dict | None = None, *, username: str = "alice") -> Review:
    return Review(kind="ScanJob", new=new, old=old, requester=Requester(username=username))


@pytest.mark.parametrize("sent", [None, "alice", "bob", ""])
def test_a_new_object_says_who_makes_it_whatever_is_sent(sent):
    assert stamped(review(an_object(sent))) == "alice"
    assert stamped(review({"metadata": {"name": "x"}})) == "alice"


@pytest.mark.parametrize("sent", [None, "bob", "alice", ""])
def test_an_update_changes_nothing_of_it(sent):
    assert stamped(review(an_object(sent), an_object("carol"), username="bob")) == "carol"


def test_what_nobody_knows_nobody_can_say_later():
    assert stamped(review(an_object("bob"), an_object(), username="bob")) is None
    assert stamped(review(an_object(), {"metadata": {"name": "x"}})) is None


def test_a_name_that_came_past_the_webhook_is_refused():
    (error,) = forged(review(an_object("bob")))
    assert error.field == f"metadata.annotations[{ANNOTATION}]"
    assert "which is alice" in error.message
    assert forged(review(an_object("alice"))) == ()
    assert forged(review(an_object())) == ()
    assert forged(review(an_object("bob"), an_object("bob"))) == ()
