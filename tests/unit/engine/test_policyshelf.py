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
        self.shelf = PolicyShelf(self, clock=lambda: self.now, changed=lambda key: self.changed.append(key.name))
        self.cache = ObjectCache(observer=self.shelf.seen)
        self.shelf.follow(self.cache)

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
    assert [each.name for each in await server.shelf.fresh(max_age=0.0)] == ["small"]
    assert server.cache.get(Key("", "small")) is not None
    server.items, server.version = [], 12
    assert await server.shelf.fresh(max_age=0.0) == ()
    assert server.changed == ["small", "small"]


async def test_those_who_ask_at_once_share_an_answer_and_a_young_one_is_good_enough() -> None:
    server = Server()
    await asyncio.gather(*(server.shelf.fresh(max_age=0.0) for _ in range(10)))
    assert server.asked <= 2
    asked = server.asked
    await server.shelf.fresh(max_age=1.0)
    assert server.asked == asked
    server.now += 2.0
    await server.shelf.fresh(max_age=1.0)
    assert server.asked == asked + 1


async def test_a_status_that_is_written_is_no_other_policy() -> None:
    server = Server()
    server.cache.put(a_policy("small", 1))
    (before,) = server.shelf.known
    server.cache.put({**a_policy("small", 2), "status": {"held": 1}})
    (after,) = server.shelf.known
    assert after is before
    server.cache.put(a_policy("small", 3, generation=2, most=5))
    assert server.changed == ["small", "small"]
