"""An informer's cache ends up as the API server has it, however its lists and watches end."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sentinel_operator.engine.cache import ObjectCache
from sentinel_operator.engine.errors import Gone, NotFound, Retry
from sentinel_operator.engine.informer import Informer, Pace
from sentinel_operator.engine.kube import Page
from sentinel_operator.engine.resources import CONFIG_MAPS

Manifest = dict[str, Any]


def config_map(name: str, version: int) -> Manifest:
    return {"metadata": {"namespace": "ns", "name": name, "uid": name, "resourceVersion": str(version)}}


def event(type_: str, name: str, version: int) -> Manifest:
    return {"type": type_, "object": config_map(name, version)}


class Script:
    """Lists and streams that come one after the other; a stream that is used up stays silent."""

    def __init__(self, lists: list[Any], streams: list[list[Any]]) -> None:
        self._lists, self._streams = lists, streams
        self.watched_from: list[str] = []

    async def pages(self, *_: Any, **__: Any) -> AsyncIterator[Page]:
        listed = self._lists.pop(0)
        if isinstance(listed, Exception):
            raise listed
        names, version = listed
        for number, (name, at) in enumerate(names.items(), start=1):
            yield Page((config_map(name, at),), str(version), "more" if number < len(names) else "")
        if not names:
            yield Page((), str(version), "")

    async def watch(self, *_: Any, resource_version: str, **__: Any) -> AsyncIterator[Manifest]:
        self.watched_from.append(resource_version)
        if not self._streams:
            await asyncio.Event().wait()
        for each in self._streams.pop(0):
            if isinstance(each, Exception):
                raise each
            yield each


class Scene:
    """An informer over a script."""

    def __init__(self, lists: list[Any], streams: list[list[Any]]) -> None:
        self.script = Script(lists, streams)
        self.changed: list[str] = []
        self.restarts: Counter[str] = Counter()
        self.cache = ObjectCache()
        self.informer = Informer(
            self.script,
            CONFIG_MAPS,
            cache=self.cache,
            changed=lambda raw: self.changed.append(raw["metadata"]["name"]),
            metrics=self,
            rng=random.Random(0),
            pace=Pace(between=0.0, backoff_base=0.0),
        )

    def cached(self, kind: str, count: int) -> None:
        pass

    def watch_restarted(self, kind: str, reason: str) -> None:
        self.restarts[reason] += 1

    @property
    def known(self) -> dict[str, int]:
        found = {key.name: self.cache.get(key) for key in self.cache}
        return {name: int(raw["metadata"]["resourceVersion"]) for name, raw in found.items() if raw}

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(2):
            while not condition():  # noqa: ASYNC110 - conditions of many kinds
                await asyncio.sleep(0)


@pytest.fixture
async def play() -> AsyncIterator[Callable[[list[Any], list[list[Any]]], Scene]]:
    running: list[asyncio.Task[None]] = []

    def start(lists: list[Any], streams: list[list[Any]]) -> Scene:
        scene = Scene(lists, streams)
        running.append(asyncio.create_task(scene.informer.run()))
        return scene

    yield start
    for task in running:
        task.cancel()


Play = Callable[[list[Any], list[list[Any]]], Scene]


async def test_events_follow_the_list(play: Play) -> None:
    scene = play(
        [({"a": 1, "b": 2}, 5)], [[event("MODIFIED", "a", 6), event("DELETED", "b", 7), event("ADDED", "c", 8)]]
    )
    await scene.until(lambda: len(scene.script.watched_from) == 2)
    assert scene.known == {"a": 6, "c": 8}
    assert scene.changed == ["a", "b", "a", "b", "c"]
    assert scene.script.watched_from == ["5", "8"], "a stream that ended is taken up where it was"


async def test_a_bookmark_moves_the_place_to_go_on_from(play: Play) -> None:
    bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "90"}}}
    scene = play([({}, 5)], [[bookmark]])
    await scene.until(lambda: len(scene.script.watched_from) == 2)
    assert scene.script.watched_from == ["5", "90"]


async def test_what_was_deleted_while_no_watch_ran_is_found_by_the_next_list(play: Play) -> None:
    scene = play([({"a": 1, "b": 2}, 5), ({"b": 2}, 30)], [[Gone("too old", code=410)]])
    await scene.until(lambda: len(scene.script.watched_from) == 2)
    assert scene.known == {"b": 2}
    assert scene.changed == ["a", "b", "a"], "b is unchanged and not told"
    assert scene.restarts == {"gone": 1}


async def test_a_stream_cut_off_is_taken_up_without_a_list(play: Play) -> None:
    scene = play([({"a": 1}, 5)], [[event("MODIFIED", "a", 6), Retry("cut")]])
    await scene.until(lambda: len(scene.script.watched_from) == 2)
    assert scene.script.watched_from == ["5", "6"]
    assert scene.restarts == {"broken": 1}


async def test_a_list_that_fails_changes_nothing_and_is_tried_again(play: Play) -> None:
    scene = play([Retry("down"), Gone("continue token", code=410), ({"a": 1}, 5)], [])
    await scene.until(scene.informer.synced.is_set)
    assert scene.known == {"a": 1}


async def test_a_resource_that_is_not_served_settles_unsynced_and_is_found_later(play: Play) -> None:
    scene = play([NotFound("no such API"), ({"a": 1}, 5)], [])
    await scene.until(scene.informer.settled.is_set)
    assert not scene.informer.synced.is_set()
    await scene.until(scene.informer.synced.is_set)
