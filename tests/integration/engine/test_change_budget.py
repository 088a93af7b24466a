"""On the real API server: never more rollouts under way than the SentinelConfig allows, and all have their turn."""

from __future__ import annotations

import pytest

from tests.support.eventually import eventually
from tests.support.modelsworld import Models
from tests.support.replica import SHORT_LEASE, Replica

pytestmark = pytest.mark.integration


async def counted(replica: Replica, **expected: int) -> None:
    """Waits until its metrics give these numbers of rollouts."""

    async def found() -> bool:
        assert {state: replica.metric("rollouts", state=state) for state in expected} == expected
        return True

    await eventually(found)


async def test_ten_changed_at_once_go_two_by_two_and_know_what_they_wait_for(models: Models) -> None:
    names = [f"m{number}" for number in range(10)]
    replica = await models.replica()
    await models.declare(names, "1.0.0")
    await models.serve(names, "1.0.0")
    assert models.most == 0, "the first rollout of all needs no slot"
    await models.limit(maxConcurrentRollouts=2)
    models.pods.held = True
    await models.declare(names, "2.0.0")
    await models.waiting(names, beside=2)
    limit = "spec.changeBudget.maxConcurrentRollouts of SentinelConfig default"
    said = f"waits for one of the 2 slots of the cluster ({limit}), taken by {models.namespace}/m"
    assert all(said in min(each) for each in models.told.values()), models.told
    await counted(replica, under_way=2, waiting_for_budget=8)
    models.pods.held = False
    await models.serve(names, "2.0.0")
    assert models.most == 2
    await counted(replica, under_way=0, waiting_for_budget=0)


async def test_the_next_leader_knows_every_slot_and_every_place(models: Models) -> None:
    names = [f"m{number}" for number in range(5)]
    leader = await models.replica(**SHORT_LEASE)
    await models.declare(names, "1.0.0")
    await models.serve(names, "1.0.0")
    await models.limit(maxConcurrentRollouts=2)
    standby = await models.replica(**SHORT_LEASE)
    models.pods.held = True
    await models.declare(names, "2.0.0")
    await models.waiting(names, beside=2)
    await leader.kill()
    models.pods.held = False

    async def leads() -> bool:
        return standby.leads

    await eventually(leads)
    await models.serve(names, "2.0.0")
    assert models.most == 2


async def test_a_freeze_holds_and_a_higher_limit_lets_the_next_begin_at_once(models: Models) -> None:
    names = [f"m{number}" for number in range(4)]
    await models.replica(resync=3600.0)
    await models.declare(names, "1.0.0")
    await models.serve(names, "1.0.0")
    await models.limit(maxConcurrentRollouts=0)
    models.pods.held = True
    await models.declare(names, "2.0.0")
    await models.waiting(names, beside=0)
    assert all("the end of the freeze of the cluster" in min(each) for each in models.told.values())
    await models.limit(maxConcurrentRollouts=1)
    await models.waiting(names, beside=1)
    await models.limit(maxConcurrentRollouts=5, perNamespace=3)
    await models.waiting(names, beside=3)
    assert any("slots of namespace" in said for each in models.told.values() for said in each)
    models.pods.held = False
    await models.serve(names, "2.0.0")
    assert models.most == 3
