"""Every change is told, or else that some may have been missed, however the streams end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sentinel_operator.core.plan import ObjectRef
from sentinel_operator.engine.errors import Gone, Retry, Terminal
from sentinel_operator.engine.informer import Pace
from sentinel_operator.engine.referencewatch import ReferenceWatch
from sentinel_operator.engine.resources import CONFIG_MAPS

LOST = "lost"


def event(type_: str, name: str, version: int) -> dict[str, Any]:
    metadata = {"namespace": "ns", "name": name, "resourceVersion": str(version)}
    return {"type": type_, "object": {"metadata": metadata}}


BOOKMARK = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "50"}}}


class Script:
    """Snapshots and streams that come one after the other; a stream that is used up stays silent."""

    def __init__(self, snapshots: list[Any], streams: list[list[Any]]) -> None:
        self._snapshots, self._streams = snapshots, streams
        self.used_up = asyncio.Event()
        self.watched_from: list[str] = []
        self.told: list[str] = []
        self.watch_restarts: list[str] = []

    async def snapshot(self, *_: Any) -> str:
        snapshot = self._snapshots.pop(0)
        if isinstance(snapshot, Exception):
            raise snapshot
        return str(snapshot)

    async def watch(self, *_: Any, resource_version: str, metadata_only: bool, **__: Any) -> AsyncIterator[Any]:
        assert metadata_only
        self.watched_from.append(resource_version)
        if not self._streams:
            self.used_up.set()
            await asyncio.Event().wait()
        for each in self._streams.pop(0):
            if isinstance(each, Exception):
                raise each
            yield each

    def changed(self, ref: ObjectRef) -> None:
        assert (ref.api_version, ref.kind, ref.namespace) == ("v1", "ConfigMap", "ns")
        self.told.append(ref.name)

    def watch_restarted(self, _: str, reason: str) -> None:
        self.watch_restarts.append(reason)


Play = Callable[[list[Any], list[list[Any]]], Any]


@pytest.fixture
async def play() -> AsyncIterator[Play]:
    running: list[asyncio.Task[None]] = []

    async def start(snapshots: list[Any], streams: list[list[Any]]) -> Script:
        script = Script(snapshots, streams)
        watch = ReferenceWatch(
            script,
            CONFIG_MAPS,
            changed=script.changed,
            lost=lambda: script.told.append(LOST),
            metrics=script,
            rng=random.Random(0),
            pace=Pace(between=0.0, backoff_base=0.0),
        )
        running.append(asyncio.create_task(watch.run()))
        async with asyncio.timeout(20):
            await script.used_up.wait()
        return script

    yield start
    for task in running:
        task.cancel()


async def test_whatever_is_written_or_deleted_is_told_by_name(play: Play) -> None:
    script = await play([10], [[event("ADDED", "a", 11), event("MODIFIED", "a", 12), event("DELETED", "b", 13)]])
    assert script.told == [LOST, "a", "a", "b"]
    assert script.watched_from == ["10", "13"]


@pytest.mark.parametrize("end", [[], [Retry("broken off")]], ids=["ran out", "broke"])
async def test_a_stream_is_taken_up_where_it_ended(play: Play, end: list[Any]) -> None:
    script = await play([10], [[event("ADDED", "a", 11), BOOKMARK, *end], [event("ADDED", "b", 51)]])
    assert script.told == [LOST, "a", "b"]
    assert script.watched_from == ["10", "50", "51"]
    assert script.watch_restarts == ["broken"] * len(end)


async def test_after_a_gap_everything_counts_as_changed(play: Play) -> None:
    script = await play([10, 90], [[event("ADDED", "a", 11), Gone("too old", reason="Expired")]])
    assert script.told == [LOST, "a", LOST]
    assert script.watched_from == ["10", "90"]


async def test_what_is_not_allowed_is_tried_again_by_and_by(play: Play) -> None:
    script = await play([Terminal("forbidden", code=403, reason="Forbidden"), 10], [[event("ADDED", "a", 11)]])
    assert script.told == [LOST, "a"]
    assert script.watch_restarts == ["Forbidden"]
