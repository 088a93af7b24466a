"""Who may say something about approval: whom the API server's authorizer allows, nobody while it cannot be asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from sentinel_operator.api.kinds import ACTION_PLAN, SCAN_JOB, Kind
from sentinel_operator.core.admission.verdict import Requester, Review
from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.errors import Retry
from sentinel_operator.hooks import approval
from sentinel_operator.hooks.approval import unapproved

APPROVED = {"approval": {"decision": "Approve"}}
BOB = Requester(username="bob", uid="7", groups=("ops",))


class Authorizer:
    def __init__(self, answer: bool | Exception | None) -> None:
        self.answer = answer
        self.asked: list[Mapping[str, Any]] = []

    async def subject_access_review(self, spec: Mapping[str, Any]) -> bool:
        self.asked.append(spec)
        if self.answer is None:
            await asyncio.Event().wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return bool(self.answer)


def a_review(new: Manifest, old: Manifest | None) -> Review:
    metadata = {"name": "grow", "namespace": "shop"}
    before = {"metadata": metadata, "spec": old} if old is not None else None
    return Review(kind="ActionPlan", new={"metadata": metadata, "spec": new}, old=before, requester=BOB)


async def said(authorizer: Authorizer, review: Review, kind: Kind = ACTION_PLAN) -> str:
    userinfo = {"username": "bob", "extra": {"scopes": ["all"]}}
    return "; ".join(map(str, await unapproved(kind, review, userinfo, authorizer)))


@pytest.mark.parametrize(
    ("new", "old"), [(APPROVED, {}), (APPROVED, None), ({}, APPROVED), ({"approval": {"decision": "Reject"}}, APPROVED)]
)
async def test_whoever_says_something_about_it_must_be_allowed_to(new: Manifest, old: Manifest | None) -> None:
    assert await said(Authorizer(True), a_review(new, old)) == ""
    refused = await said(Authorizer(False), a_review(new, old))
    assert refused == "spec.approval: bob may not approve actionplans in namespace shop"


async def test_the_authorizer_is_asked_for_the_very_person_verb_and_object() -> None:
    authorizer = Authorizer(True)
    await said(authorizer, a_review(APPROVED, {}))
    (asked,) = authorizer.asked
    assert (asked["user"], asked["uid"], asked["groups"], asked["extra"]) == ("bob", "7", ["ops"], {"scopes": ["all"]})
    assert asked["resourceAttributes"] == {
        "group": "sentinel.dev",
        "version": "v1alpha1",
        "resource": "actionplans",
        "verb": "approve",
        "namespace": "shop",
        "name": "grow",
    }


async def test_what_says_nothing_about_it_asks_nobody() -> None:
    authorizer = Authorizer(False)
    assert await said(authorizer, a_review({"suspend": True, **APPROVED}, APPROVED)) == ""
    assert await said(authorizer, a_review(APPROVED, {}), SCAN_JOB) == ""
    assert authorizer.asked == []


@pytest.mark.parametrize("answer", [Retry("no answer"), None])
async def test_what_cannot_be_found_out_is_not_allowed(
    answer: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approval, "_TIMEOUT", 0.01)
    assert "could not be found out" in await said(Authorizer(answer), a_review(APPROVED, {}))
