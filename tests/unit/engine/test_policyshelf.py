"""Policies are as fresh as whoever judges by them needs, and read once."""

from __future__ import annotations

import asyncio

from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.cache import Key, ObjectCache
from sentinel_operator.engine.policyshelf import PolicyShelf
from sentinel_operator.engine.resources import Resource


def a_policy(name: str, version: int, *, generation: int = 1, most: int = 3) -> Manifest:
    return {
        "apiVersion": "sentinel.dev/v1alpha1",
        "kind": "ActionPolicy",
        "metadata": {"name": name, "uid": name, "generation": generation, "resourceVersion": str(version)},
        "spec": {"rules": [{"type": "Quota", "quota": {"maxReplicas": most}}]},
    }


class Server:
    """An API server that has policies, and a clock."""

    def __init__(self) -> None:
        self.items: list[Manifest] = []
        self.now, self.version, self.asked = 0.0, 10, 0
        self.changed: list[str] = []
        self.shelf = PolicyShelf(
            self, clock=lambda: self.now, changed=lambda key: self.changed.append(key.name), sleep=self.sleep
        )
        self.cache = ObjectCache(observer=self.shelf.seen)
        self.shelf.follow(self.cache)

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)

    async def list(self, _: Resource) -> tuple[list[Manifest], str]:
        self.asked += 1
        self.now += 0.1
        await asyncio.sleep(0)
        return list(self.items), str(self.version)


async def test_a_policy_that_no_watch_has_told_of_is_heard() -> None:
    server = Server()
    assert await server.shelf.fresh() == ()
    server.items = [a_policy("small", 11)]
    server.version = 11
    assert [each.name for each in await server.shelf.fresh(after=11)] == ["small"]
    assert server.cache.get(Key("", "small")) is not None
    server.items, server.version = [], 12
    assert await server.shelf.fresh(after=12) == ()
    assert server.changed == ["small", "small"]


async def test_a_list_serves_all_that_was_written_before_it_and_a_young_one_all_else() -> None:
    server = Server()
    await asyncio.gather(*(server.shelf.fresh(after=number) for number in range(11)))
    assert server.asked == 1
    await server.shelf.fresh()
    assert server.asked == 1
    server.now += 2.0
    await server.shelf.fresh()
    assert server.asked == 2


async def test_in_a_flood_there_are_so_many_lists_a_second_and_no_more() -> None:
    server = Server()
    began = server.now
    for number in range(11, 61):
        server.version = number
        await server.shelf.fresh(after=number)
    assert server.asked == 50
    assert server.now - began >= 49 * 0.2
    alone = server.now = server.now + 5.0
    server.version = 70
    await server.shelf.fresh(after=70)
    assert server.now == alone + 0.1, "one that comes alone waits for nothing but the list"


async def test_a_status_that_is_written_is_no_other_policy() -> None:
    server = Server()
    server.cache.put(a_policy("small", 1))
    (before,) = server.shelf.known
    server.cache.put({**a_policy("small", 2), "status": {"held": 1}})
    (after,) = server.shelf.known
    assert after is before
    server.cache.put(a_policy("small", 3, generation=2, most=5))
    assert server.changed == ["small", "small"]
