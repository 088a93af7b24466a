"""What the webhooks answer: who made an object is written on it, and what is wrong is said at its field."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest

from sentinel_operator.api.kinds import ACTION_PLAN
from sentinel_operator.core.actionplan.stamps import APPROVED_BY, REQUESTED_BY, written
from sentinel_operator.core.admission.actionplan import validate
from sentinel_operator.core.admission.verdict import Review, Verdict
from sentinel_operator.core.plan import Manifest
from sentinel_operator.core.policy.facts import Identity
from sentinel_operator.hooks.admission import answers, path_of, stamping_path_of

ALICE = {"username": "alice", "groups": ["people"]}
STAMP = written(Identity(username="alice", groups=frozenset({"people"})))
DECISION = {"id": "it", "verb": "restart", "target": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}


class Authorizer:
    async def subject_access_review(self, spec: Mapping[str, Any]) -> bool:
        return False


ANSWERS = answers([ACTION_PLAN], {ACTION_PLAN.kind: validate}, authorizer=Authorizer())


def a_plan(annotations: Manifest | None = None, **spec: Any) -> Manifest:
    metadata = {"name": "plan", "namespace": "shop", **({} if annotations is None else {"annotations": annotations})}
    return {
        "apiVersion": ACTION_PLAN.api_version,
        "kind": ACTION_PLAN.kind,
        "metadata": metadata,
        "spec": {"planId": "one", "source": "alice", "decisions": [DECISION], **spec},
    }


def asked(new: Manifest, old: Manifest | None = None) -> Manifest:
    return {"uid": "review", "userInfo": ALICE, "object": new, "oldObject": old}


def patched(raw: Manifest, response: Manifest) -> Any:
    """Applies the patch, as far as stamps need it."""
    annotations = raw["metadata"].get("annotations")
    for each in json.loads(base64.b64decode(response["patch"])) if "patch" in response else ():
        if each["path"] == "/metadata/annotations":
            annotations = each["value"]
        elif each["op"] == "remove":
            annotations = {name: value for name, value in annotations.items() if name != _named(each)}
        else:
            annotations = {**annotations, _named(each): each["value"]}
    return annotations


def _named(operation: Manifest) -> str:
    return str(operation["path"]).removeprefix("/metadata/annotations/").replace("~1", "/").replace("~0", "~")


@pytest.mark.parametrize(
    "annotations",
    [None, {}, {"note": "kept"}, {REQUESTED_BY: "forged", APPROVED_BY: "forged"}, {REQUESTED_BY: STAMP}],
    ids=["none", "empty", "others", "forged", "right"],
)
async def test_who_creates_a_plan_is_written_on_it_whatever_it_says(annotations: Manifest | None) -> None:
    new = a_plan(annotations)
    response = await ANSWERS[stamping_path_of(ACTION_PLAN)](asked(new))
    assert (response["uid"], response["allowed"]) == ("review", True)
    kept = {name: value for name, value in (annotations or {}).items() if name == "note"}
    assert patched(new, response) == {**kept, REQUESTED_BY: STAMP}
    assert ("patch" in response) == (annotations != {REQUESTED_BY: STAMP}), "nothing to write, nothing said"


async def test_what_is_right_is_allowed_and_what_is_wrong_is_said_at_its_field() -> None:
    judge = ANSWERS[path_of(ACTION_PLAN)]
    assert await judge(asked(a_plan({REQUESTED_BY: STAMP}))) == {"uid": "review", "allowed": True}
    refused = await judge(asked(a_plan({REQUESTED_BY: STAMP}, planId="")))
    assert (refused["allowed"], refused["status"]["code"]) == (False, 422)
    assert "spec.planId" in refused["status"]["message"]
    forged = await judge(asked(a_plan()))
    assert REQUESTED_BY in forged["status"]["message"]


async def test_nobody_approves_without_the_right() -> None:
    old = a_plan({REQUESTED_BY: STAMP})
    new = a_plan({REQUESTED_BY: STAMP}, approval={"decision": "Approve"})
    stamped = await ANSWERS[stamping_path_of(ACTION_PLAN)](asked(new, old))
    new["metadata"]["annotations"] = patched(new, stamped)
    assert json.loads(new["metadata"]["annotations"][APPROVED_BY])["username"] == "alice"
    refused = await ANSWERS[path_of(ACTION_PLAN)](asked(new, old))
    assert "alice may not approve actionplans" in refused["status"]["message"]


async def test_an_object_on_its_way_out_is_let_go() -> None:
    raw = a_plan(planId="")
    raw["metadata"]["deletionTimestamp"] = "2026-01-30T12:00:00Z"
    assert (await ANSWERS[path_of(ACTION_PLAN)](asked(raw, raw)))["allowed"]


async def test_a_fault_of_the_operators_refuses() -> None:
    def breaks(_: Review) -> Verdict:
        raise KeyError("nobody has thought of this")

    judge = answers([ACTION_PLAN], {ACTION_PLAN.kind: breaks}, authorizer=Authorizer())[path_of(ACTION_PLAN)]
    refused = await judge(asked(a_plan()))
    assert (refused["allowed"], refused["status"]["code"]) == (False, 500)


async def test_what_is_no_review_is_no_answer() -> None:
    with pytest.raises(KeyError):
        await ANSWERS[path_of(ACTION_PLAN)]({"uid": "review"})
