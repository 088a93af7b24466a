"""Events are folded into series, bounded in rate and number, and never in the way."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from sentinel_operator.core.plan import Event
from sentinel_operator.engine.errors import NotFound, Retry
from sentinel_operator.engine.recorder import EventRecorder

PAINTED = Event("Normal", "Painted", "painted red")


class Sent:
    """Takes what the recorder sends."""

    def __init__(self) -> None:
        self.created: list[dict[str, Any]] = []
        self.series: list[dict[str, Any]] = []
        self.fail: list[Exception] = []

    async def create(self, _: Any, manifest: dict[str, Any], **__: Any) -> dict[str, Any]:
        if self.fail:
            raise self.fail.pop()
        self.created.append(manifest)
        return manifest

    async def patch(self, _: Any, __: Any, body: dict[str, Any], **___: Any) -> dict[str, Any]:
        if self.fail:
            raise self.fail.pop()
        self.series.append(body["series"])
        return body


class Scene:
    """A recorder with a clock of its own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sent = Sent()
        self.dropped: Counter[str] = Counter()
        self.recorder = EventRecorder(
            self.sent,
            instance="me",
            metrics=self,
            clock=lambda: self.now,
            wall=lambda: datetime(2026, 1, 1, tzinfo=UTC),
        )

    def event_dropped(self, reason: str) -> None:
        self.dropped[reason] += 1

    async def flush(self) -> None:
        async with asyncio.timeout(1):
            await self.recorder.flushed()


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    made = Scene()
    running = asyncio.create_task(made.recorder.run())
    yield made
    running.cancel()


def about(name: str) -> dict[str, Any]:
    metadata = {"namespace": "ns", "name": name, "uid": f"uid-{name}", "resourceVersion": "7"}
    return {"apiVersion": "test.sentinel.dev/v1", "kind": "Toy", "metadata": metadata}


async def test_an_event_says_what_the_api_requires(scene: Scene) -> None:
    scene.recorder.record(about("a"), PAINTED)
    await scene.flush()
    (sent,) = scene.sent.created
    assert sent["regarding"]["uid"] == "uid-a"
    assert sent["note"] == "painted red"
    assert sent["eventTime"] == "2026-01-01T00:00:00.000000Z"
    assert sent["metadata"]["namespace"] == "ns"
    assert sent["reportingController"] == "sentinel.dev/operator"


async def test_a_repetition_is_counted_and_another_note_is_another_event(scene: Scene) -> None:
    for _ in range(3):
        scene.recorder.record(about("a"), PAINTED)
        await scene.flush()
    scene.recorder.record(about("a"), Event("Normal", "Painted", "painted blue"))
    await scene.flush()
    assert len(scene.sent.created) == 2
    assert [each["count"] for each in scene.sent.series] == [2, 3]


async def test_a_series_ends_after_six_minutes(scene: Scene) -> None:
    scene.recorder.record(about("a"), PAINTED)
    scene.now += 361
    scene.recorder.record(about("a"), PAINTED)
    await scene.flush()
    assert len(scene.sent.created) == 2


async def test_an_expired_event_is_made_anew(scene: Scene) -> None:
    scene.recorder.record(about("a"), PAINTED)
    await scene.flush()
    scene.sent.fail.append(NotFound("expired"))
    scene.recorder.record(about("a"), PAINTED)
    await scene.flush()
    scene.recorder.record(about("a"), PAINTED)
    await scene.flush()
    assert len(scene.sent.created) == 2


async def test_one_object_cannot_flood_and_does_not_silence_another(scene: Scene) -> None:
    for number in range(40):
        scene.recorder.record(about("loud"), Event("Warning", "Noise", str(number)))
    scene.recorder.record(about("quiet"), PAINTED)
    await scene.flush()
    assert scene.dropped == {"rate": 15}
    assert len(scene.sent.created) == 26
    scene.now += 20
    scene.recorder.record(about("loud"), Event("Warning", "Noise", "again"))
    await scene.flush()
    assert len(scene.sent.created) == 27


async def test_what_cannot_be_queued_or_sent_is_dropped_and_counted(scene: Scene) -> None:
    scene.sent.fail.append(Retry("no connection"))
    scene.recorder.record(about("a"), PAINTED)
    await scene.flush()
    assert scene.dropped == {"failed": 1}
    scene.recorder.record(about("a"), PAINTED)
    await scene.flush()
    assert len(scene.sent.created) == 1, "the next one is not taken for a repetition of one that nobody saw"
    for number in range(1100):
        scene.recorder.record(about(str(number)), PAINTED)
    assert scene.dropped["queue_full"] == 76
