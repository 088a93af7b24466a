"""What is sent to objects of others: pinned, in time, and only for the plan that was looked at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sentinel_operator.api.kinds import ACTION_PLAN
from sentinel_operator.core.plan import Evict, Manifest, ObjectRef, Patch, Plan, Rehearsal
from sentinel_operator.engine.cache import ObjectCache
from sentinel_operator.engine.errors import (
    ApiError,
    Conflict,
    NotFound,
    Retry,
    StepFailed,
    SubjectGone,
    Terminal,
    TooLate,
)
from sentinel_operator.engine.foreign import Foreign
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.resources import Resource, ResourceTable
from sentinel_operator.engine.transport import Term

NOW = datetime(2026, 1, 30, 12, 0, tzinfo=UTC)
WEB = ObjectRef("apps/v1", "Deployment", "shop", "web", "uid-web", "7")
POD = ObjectRef("v1", "Pod", "shop", "web-1", "uid-pod")
PATCH = Patch(WEB, {"spec": {"replicas": 4}}, "scale")


def a_plan(*, version: str = "3", uid: str = "uid-plan") -> Manifest:
    return {"metadata": {"name": "grow", "namespace": "shop", "uid": uid, "resourceVersion": version}}


def _in_time(term: Term | None) -> None:
    if term is not None and term() <= 0:
        raise TooLate("its time is over")


class Api(KubeApi):
    """Takes requests down, and answers as it is told."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any]] = []
        self.live: Manifest | None = a_plan()
        self.answers: dict[str, ApiError] = {}

    async def find(self, resource: Resource, namespace: str, name: str) -> Manifest | None:
        return self.live

    async def patch(
        self, resource: Resource, ref: ObjectRef, body: Manifest, *, term: Term | None = None, **how: Any
    ) -> Manifest:
        _in_time(term)
        self.sent.append(("dry run" if how["dry_run"] else f"patch {how['subresource']}", body))
        if error := self.answers.get("patch"):
            raise error
        return {}

    async def apply_status(self, resource: Resource, manifest: Manifest, **_: Any) -> Manifest:
        self.sent.append(("status", manifest))
        return {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": "4"}}

    async def evict(self, namespace: str, name: str, *, uid: str = "", term: Term | None = None) -> None:
        _in_time(term)
        self.sent.append(("evict", uid))
        if error := self.answers.get("evict"):
            raise error


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def foreign(api: Api) -> Foreign:
    table = ResourceTable([Resource("apps/v1", "Deployment", "deployments")])
    return Foreign(api, resource=Resource.of_kind(ACTION_PLAN), primary=ObjectCache(), table=table, now=lambda: NOW)


async def test_a_patch_carries_uid_and_resource_version(api: Api, foreign: Foreign) -> None:
    assert await foreign.carry_out(a_plan(), Plan(patch=(PATCH,), guarded=True)) == 1
    body = {"spec": {"replicas": 4}, "metadata": {"uid": "uid-web", "resourceVersion": "7"}}
    assert api.sent == [("patch scale", body)]


@pytest.mark.parametrize(
    ("live", "error"),
    [(a_plan(version="4"), Conflict), (a_plan(uid="another"), SubjectGone), (None, SubjectGone)],
)
async def test_nothing_is_sent_for_a_plan_that_is_another_now(
    api: Api, foreign: Foreign, live: Manifest | None, error: type[Exception]
) -> None:
    api.live = live
    for plan in (Plan(patch=(PATCH,), guarded=True), Plan(evict=(Evict(POD),), guarded=True)):
        with pytest.raises(error):
            await foreign.carry_out(a_plan(), plan)
    assert api.sent == []


@pytest.mark.parametrize(("seconds", "count"), [(1, 2), (0, 0), (-1, 0)])
async def test_nothing_is_sent_from_its_last_moment_on(api: Api, foreign: Foreign, seconds: int, count: int) -> None:
    last = NOW + timedelta(seconds=seconds)
    late = Plan(patch=(Patch(WEB, {}, "", last),), evict=(Evict(POD, last),), guarded=True)
    assert await foreign.carry_out(a_plan(), late) == count
    assert len(api.sent) == count


@pytest.mark.parametrize("error", [Retry("its budget", code=429), NotFound("gone"), Conflict("another one")])
async def test_a_pod_that_may_not_leave_now_or_is_gone_is_no_failure(
    api: Api, foreign: Foreign, error: ApiError
) -> None:
    api.answers["evict"] = error
    assert await foreign.carry_out(a_plan(), Plan(evict=(Evict(POD),))) == 0


async def test_a_rehearsal_changes_nothing_and_tells_what_would_be_refused(api: Api, foreign: Foreign) -> None:
    assert await foreign.rehearse([Rehearsal("grow", PATCH)]) == {"grow": ""}
    assert [how for how, _ in api.sent] == ["dry run"]
    api.answers["patch"] = Terminal("exceeded quota", code=403)
    assert await foreign.rehearse([Rehearsal("grow", PATCH)]) == {"grow": "exceeded quota"}
    api.answers["patch"] = Conflict("it has changed", code=409)
    with pytest.raises(StepFailed):
        await foreign.rehearse([Rehearsal("grow", PATCH)])


async def test_what_was_not_answered_cannot_succeed_any_more_once_another_write_has(api: Api, foreign: Foreign) -> None:
    plan = {**a_plan(), "status": {"state": "Scheduled", "message": "waits"}}
    api.live = plan
    await foreign.settle(plan)
    ((how, written),) = api.sent
    assert (how, written["metadata"]["resourceVersion"], written["metadata"]["uid"]) == ("status", "3", "uid-plan")
    assert written["status"]["state"] == "Scheduled"
    assert written["status"]["message"] != "waits", "what changes nothing makes no version"
    api.live = a_plan(version="4")
    with pytest.raises(Conflict):
        await foreign.settle(plan)
    assert len(api.sent) == 1
