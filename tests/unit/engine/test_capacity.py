"""How the room in the cluster is looked up: seldom, one look at a time, and a failure is no answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.capacity import Capacity
from sentinel_operator.engine.errors import ApiError, Retry, Terminal
from sentinel_operator.engine.kube import Page
from sentinel_operator.engine.resources import Resource
from sentinel_operator.engine.transport import Query

NODE: Manifest = {
    "metadata": {"name": "n1"},
    "status": {
        "allocatable": {"cpu": "4", "pods": "9"},
        "conditions": [{"type": "Ready", "status": "True"}],
    },
}


def template(cpu: str) -> Manifest:
    return {"spec": {"containers": [{"resources": {"requests": {"cpu": cpu}}}]}}


def pod(cpu: str) -> Manifest:
    return {"spec": {**template(cpu)["spec"], "nodeName": "n1"}, "status": {"phase": "Running"}}


class Cluster:
    """A cluster as the client shows it: in pages of one object."""

    def __init__(self, *pods: Manifest) -> None:
        self.objects: dict[str, list[Any]] = {"nodes": [NODE], "pods": list(pods)}
        self.looks = 0
        self.now = 0.0
        self.fault: ApiError | None = None
        self.hangs = asyncio.Event()
        self.hangs.set()

    async def pages(self, resource: Resource, *, query: Query = ()) -> AsyncIterator[Page]:
        if resource.plural == "nodes":
            self.looks += 1
        await self.hangs.wait()
        if self.fault is not None:
            raise self.fault
        for each in self.objects[resource.plural]:
            yield Page((each,), "1", "")

    def capacity(self, **more: float) -> Capacity:
        return Capacity(self, clock=lambda: self.now, **more)


async def test_room_is_what_no_pod_has_on_any_page():
    cluster = Cluster(pod("1"), pod("1500m"))
    capacity = cluster.capacity()
    assert await capacity.spare("a", template("1500m")) is True
    assert await cluster.capacity().spare("a", template("1600m")) is False


async def test_one_look_serves_all_that_ask_meanwhile_and_shortly_after():
    cluster = Cluster()
    capacity = cluster.capacity()
    cluster.hangs.clear()
    asked = [asyncio.create_task(capacity.spare(f"m{number}", template("1"))) for number in range(3)]
    await asyncio.sleep(0)
    asked[0].cancel()
    cluster.hangs.set()
    assert await asyncio.gather(*asked[1:]) == [True, True]
    assert cluster.looks == 1
    cluster.now = 11.0
    assert await capacity.spare("m0", template("1")) is True
    assert cluster.looks == 2


async def test_what_is_promised_to_one_is_not_promised_to_another():
    capacity = Cluster(pod("1")).capacity()
    assert await capacity.spare("a", template("2")) is True
    assert await capacity.spare("b", template("2")) is False
    assert await capacity.spare("a", template("2")) is True, "the same pod is not reckoned with twice"
    assert await capacity.spare("c", template("1")) is True


async def test_a_refusal_is_no_answer_and_is_not_asked_for_again_at_once():
    cluster = Cluster()
    cluster.fault = Terminal("nodes is forbidden", code=403)
    capacity = cluster.capacity()
    assert await capacity.spare("a", template("1")) is None
    cluster.fault = None
    assert await capacity.spare("a", template("1")) is None
    assert cluster.looks == 1
    cluster.now = 11.0
    assert await capacity.spare("a", template("1")) is True


async def test_what_takes_too_long_is_given_up():
    cluster = Cluster()
    cluster.hangs.clear()
    assert await cluster.capacity(timeout=0.01).spare("a", template("1")) is None


async def test_an_object_that_makes_no_sense_is_no_answer():
    cluster = Cluster({"spec": {**template("much")["spec"], "nodeName": "n1"}, "status": {}})
    assert await cluster.capacity().spare("a", template("1")) is None
    assert await Cluster().capacity().spare("a", template("a lot")) is None


async def test_a_look_that_is_under_way_ends_with_the_operator():
    cluster = Cluster()
    cluster.hangs.clear()
    capacity = cluster.capacity()
    asked = asyncio.create_task(capacity.spare("a", template("1")))
    await asyncio.sleep(0)
    await capacity.close()
    await asyncio.wait([asked])
    assert asked.cancelled()


async def test_a_fault_that_passes_is_asked_again_later():
    cluster = Cluster()
    cluster.fault = Retry("too many requests")
    capacity = cluster.capacity(lifetime=1.0)
    assert await capacity.spare("a", template("1")) is None
    cluster.fault, cluster.now = None, 1.5
    assert await capacity.spare("a", template("1")) is True
