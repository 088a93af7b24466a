"""The brain goes away, refuses, does not stream, is another one, or is not who it should be."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.brain import Brain
from sentinel_operator.api.actionstatus import FINISHED
from sentinel_operator.bridge.rights import NAME
from sentinel_operator.engine.resources import LEASES
from tests.support.bridgeworld import CA_SECRET, TOKEN_SECRET, Bridges, Running, certificates
from tests.support.eventually import eventually
from tests.support.modelsworld import model
from tests.support.plansworld import MODELS

pytestmark = pytest.mark.integration


async def connected(running: Running, *, wanted: bool = True) -> None:
    async def look() -> bool:
        return bool(running.metric("connected")) is wanted

    await eventually(look)


async def points_arrive(brain: Brain) -> None:
    """Waits for batches that come from now on."""
    before = len(brain.memory.batches)

    async def look() -> bool:
        return len(brain.memory.batches) > before

    await eventually(look)


async def a_restart(bridges: Bridges, plan_id: str) -> None:
    """Has a plan done from end to end."""
    bridges.brain.offer(bridges.proposal(plan_id, bridges.wish("restart"), mode="DryRun"))
    assert (await bridges.acked(plan_id))["success"] is True


async def test_without_a_brain_it_idles_and_is_ready_and_takes_up_one_that_is_named_later(bridges: Bridges) -> None:
    await bridges.plans.guarded_replica()
    await bridges.plans.deployment()
    running = await bridges.run()

    async def leads() -> bool:
        return running.metric("leader") == 1.0

    await eventually(leads)
    assert running.metric("configured") == 0.0
    await bridges.open_brain()
    await bridges.configure()
    await a_restart(bridges, "later")
    first = bridges.brain
    bridges.another_brain()
    second = await bridges.open_brain()
    await bridges.configure()
    await a_restart(bridges, "elsewhere")
    assert second.memory.acks_of("elsewhere")
    assert not first.memory.streams
    await bridges.plans.configure(clusterId="prod-01", operatorNamespace=bridges.namespace)
    await connected(running, wanted=False)
    assert running.metric("configured") == 0.0
    assert await running.stop() == 0


async def test_a_stream_that_is_cut_is_taken_up_again_and_a_brain_that_does_not_stream_is_asked(
    bridges: Bridges,
) -> None:
    brain = await bridges.open_brain()
    await bridges.plans.guarded_replica()
    await bridges.plans.deployment()
    await bridges.configure()
    running = await bridges.run()
    await connected(running)
    await a_restart(bridges, "one")
    brain.cut_streams()
    await a_restart(bridges, "two")
    brain.manner.streaming = False
    brain.cut_streams()
    await a_restart(bridges, "three")
    await a_restart(bridges, "four")
    assert not brain.memory.streams
    assert running.metric("connected") == 1.0


async def test_a_brain_that_is_away_costs_bounded_memory_and_what_was_dropped_is_counted(bridges: Bridges) -> None:
    brain = await bridges.open_brain()
    await bridges.plans.guarded_replica()
    await bridges.plans.deployment()
    await bridges.plans.api.create(MODELS, model(bridges.namespace, "fraud", "1"))
    await bridges.configure(batch={"maxPoints": 2, "maxAge": "1s", "kept": 3})
    running = await bridges.run()
    await connected(running)
    await points_arrive(brain)
    await brain.close()
    await connected(running, wanted=False)

    async def dropped() -> bool:
        return running.metric("points_dropped_total", reason="OldestDropped") >= 4

    await eventually(dropped)
    assert running.metric("points_kept") <= 2 * 3 + 1
    assert not running.task.done()
    await brain.open()
    await points_arrive(brain)
    ids = [each["batch_id"] for each in brain.memory.batches]
    assert len(ids) == len(set(ids))
    await a_restart(bridges, "back")


@pytest.mark.parametrize(("protocol", "how"), [("gRPC", "Answer"), ("gRPC", "Invalid"), ("HTTP", "Invalid")])
async def test_a_batch_that_the_brain_refuses_is_dropped_and_counted_and_the_next_one_comes(
    bridges: Bridges, protocol: str, how: str
) -> None:
    brain = await bridges.open_brain()
    await bridges.plans.guarded_replica()
    await bridges.plans.api.create(MODELS, model(bridges.namespace, "fraud", "1"))
    brain.manner.refusing = "Invalid" if how == "Invalid" else "Answer"
    await bridges.configure(protocol)
    running = await bridges.run()

    async def refused() -> bool:
        return brain.memory.refused >= 2

    await eventually(refused)
    assert not brain.memory.batches
    brain.manner.refusing = None
    await points_arrive(brain)
    assert running.metric("points_dropped_total", reason="Refused") > 0
    assert running.metric("points_kept") < 100


async def test_only_a_brain_under_the_authority_that_was_named_is_spoken_with(bridges: Bridges, tmp_path: Path) -> None:
    tls, authority = certificates(tmp_path, "brain")
    _, other = certificates(tmp_path, "other")
    bridges.another_brain(tls=tls)
    brain = await bridges.open_brain()
    await bridges.plans.guarded_replica()
    await bridges.plans.deployment()
    running = await bridges.run()
    named = {"serverName": "brain.test", "caSecretRef": {"name": CA_SECRET, "key": "ca.crt"}}
    await bridges.secret(CA_SECRET, ca_crt=other)
    for protocol in ("gRPC", "HTTP"):
        await bridges.configure(protocol, tls=named)
        failures = running.metric("failures_total", exchange="plans")

        async def failed(before: float = failures) -> bool:
            return running.metric("failures_total", exchange="plans") > before

        await eventually(failed)
        assert running.metric("connected") == 0.0
    await bridges.secret(CA_SECRET, ca_crt=authority)
    await a_restart(bridges, "by-rest")
    await bridges.configure(tls={"serverName": "brain.test", "caBundle": authority})
    await a_restart(bridges, "by-grpc")
    await bridges.configure(tls={"caBundle": authority})
    await connected(running, wanted=False)
    assert brain.memory.acks_of("by-grpc")


async def test_a_wrong_token_is_told_of_and_a_new_one_is_taken_up_by_itself(bridges: Bridges) -> None:
    bridges.another_brain(token="right")
    brain = await bridges.open_brain()
    await bridges.plans.guarded_replica()
    await bridges.plans.deployment()
    ref = {"name": TOKEN_SECRET, "key": "token"}
    await bridges.configure(tokenSecretRef=ref)
    running = await bridges.run()

    async def unconfigured() -> bool:
        return running.metric("leader") == 1.0 and running.metric("configured") == 0.0

    await eventually(unconfigured)
    await bridges.secret(TOKEN_SECRET, token="wrong")

    async def refused() -> bool:
        return running.metric("failures_total", exchange="plans") > 1

    await eventually(refused)
    assert running.metric("connected") == 0.0
    await bridges.secret(TOKEN_SECRET, token="right")
    await a_restart(bridges, "right")
    brain.manner.token = "rotated"
    brain.cut_streams()
    await connected(running, wanted=False)
    await bridges.secret(TOKEN_SECRET, token="rotated\n")
    await a_restart(bridges, "rotated")


async def test_killed_between_the_plan_and_its_outcome_the_brain_is_told_once_by_whoever_comes_next(
    bridges: Bridges,
) -> None:
    brain = await bridges.open_brain()
    await bridges.plans.guarded_replica()
    await bridges.plans.deployment()
    await bridges.configure()
    running = await bridges.run()
    brain.manner.deaf = True
    brain.offer(bridges.proposal("survives"))

    async def finished() -> bool:
        plan = await bridges.plan("survives")
        return plan is not None and (plan.get("status") or {}).get("state") in FINISHED

    await eventually(finished)

    async def tried() -> bool:
        return running.metric("failures_total", exchange="acks") > 0 and running.metric("acks_pending") == 1.0

    await eventually(tried)
    await running.kill()
    brain.manner.deaf = False
    second = await bridges.run()
    assert (await bridges.acked("survives"))["success"] is True
    await bridges.marked("survives")
    await second.kill()
    third = await bridges.run()
    await connected(third)
    await a_restart(bridges, "after")
    assert len(brain.memory.acks_of("survives")) == 1


async def test_of_two_replicas_one_speaks_and_the_other_takes_its_place(bridges: Bridges) -> None:
    brain = await bridges.open_brain()
    await bridges.plans.guarded_replica()
    await bridges.plans.deployment()
    await bridges.configure()
    first = await bridges.run()
    await connected(first)
    second = await bridges.run()
    await a_restart(bridges, "first")
    assert len(brain.memory.streams) == 1
    assert second.metric("leader") == 0.0
    await bridges.marked("first")
    await first.kill()
    await connected(second)
    await a_restart(bridges, "second")
    assert len(brain.memory.acks_of("first")) == 1
    third = await bridges.run()
    brain.manner.deaf = True
    assert await second.stop() == 0
    brain.manner.deaf = False
    lease = await bridges.api.get(LEASES, bridges.namespace, NAME)
    assert lease["spec"]["holderIdentity"] in {"", third.app.settings.identity}, "it was released"
    await connected(third)
