"""What has to be read for a pass, and that nothing has to be for a plan that is finished."""

from __future__ import annotations

import pytest

from sentinel_operator.api.actionstatus import FINISHED
from sentinel_operator.core.actionplan.reading import needed
from tests.unit.actionplan.world import World, a_decision


def test_every_target_is_read_once_with_what_hangs_on_it():
    plan = World().submit(
        a_decision("scale", params={"replicas": 1}),
        a_decision("restart"),
        a_decision("restart", "store", kind="StatefulSet"),
        a_decision("rollback", "old", kind="StatefulSet"),
        a_decision("abort", "fraud", kind="SentryModel"),
        a_decision("reschedule", "api", params={"node": "n1"}),
    )
    assert [
        (str(each.key), each.ref.api_version, each.revisions, each.deployments, each.pods) for each in needed(plan)
    ] == [
        ("Deployment shop/api", "apps/v1", "ReplicaSet", False, True),
        ("Deployment shop/web", "apps/v1", "", False, False),
        ("Node n1", "v1", "", False, False),
        ("SentryModel shop/fraud", "sentinel.dev/v1alpha1", "", True, True),
        ("StatefulSet shop/old", "apps/v1", "ControllerRevision", False, False),
        ("StatefulSet shop/store", "apps/v1", "", False, False),
    ]
    assert all(each.pods for each in needed(plan, priced=True) if each.key.kind != "Node")
    acting = {**plan, "status": {"state": "Executing"}}
    assert needed(acting, priced=True) == needed(plan), "a change that is under way is not judged any more"


@pytest.mark.parametrize("state", sorted(FINISHED))
def test_a_finished_plan_needs_nothing(state: str):
    plan = World().submit(a_decision("restart"))
    assert needed({**plan, "status": {"state": state}}) == ()


def test_what_does_not_validate_is_tolerated():
    plan = World().submit(a_decision("restart", kind="Secret"), a_decision("restart"))
    assert [str(each.key) for each in needed(plan)] == ["Deployment shop/web"]
    assert needed({**plan, "spec": None, "status": 5}) == ()
