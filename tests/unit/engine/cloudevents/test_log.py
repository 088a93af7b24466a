"""Each transition is logged once, by whoever leads, as a line of JSON that holds the event."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from sentinel_operator.engine.cache import Key, ObjectCache
from sentinel_operator.engine.cloudevents.log import TransitionLog, logger
from sentinel_operator.engine.logging import JsonFormatter

WAY = ("Pending", "Validating", "Approved", "Completed")


class Scene:
    def __init__(self, written: io.StringIO) -> None:
        self.leads = True
        self.written = written
        log = TransitionLog(leads=lambda: self.leads, cluster_id=lambda: "edge-7")
        self.cache = ObjectCache(observer=log.seen)
        self.version = 0

    def put(self, *states: str, uid: str = "uid-1") -> None:
        self.version += 1
        history = [
            {"number": number, "state": state, "at": "2026-01-30T12:00:00Z"} for number, state in enumerate(states, 1)
        ]
        metadata = {"name": "plan", "namespace": "shop", "uid": uid, "resourceVersion": str(self.version)}
        self.cache.put({"metadata": metadata, "spec": {"planId": "a"}, "status": {"history": history}})

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.written.getvalue().splitlines()]

    @property
    def ids(self) -> list[str]:
        return [each["cloudevent"]["id"] for each in self.lines]


@pytest.fixture
def scene(caplog: pytest.LogCaptureFixture) -> Iterator[Scene]:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonFormatter())
    caplog.set_level(logging.INFO, logger=logger.name)
    logger.addHandler(handler)
    yield Scene(written)
    logger.removeHandler(handler)


def test_what_one_write_passed_through_is_logged_line_by_line_with_the_fields_of_the_event(scene: Scene) -> None:
    scene.put()
    scene.put(*WAY[:3])
    scene.put(*WAY)
    scene.put(*WAY)
    assert scene.ids == ["uid-1-1", "uid-1-2", "uid-1-3", "uid-1-4"]
    last = scene.lines[-1]
    assert last["message"] == "ActionPlan shop/plan is Completed"
    assert last["cloudevent"]["type"] == "dev.sentinel.actionplan.completed"
    assert last["cloudevent"]["source"] == "/clusters/edge-7/sentinel-operator"
    assert (last["cloudevent"]["data"]["planId"], last["cloudevent"]["data"]["from"]) == ("a", "Approved")


def test_what_was_there_before_this_process_looked_is_not_logged_again(scene: Scene) -> None:
    scene.put(*WAY[:2])
    assert scene.ids == []
    scene.put(*WAY[:3])
    assert scene.ids == ["uid-1-3"]


def test_whoever_stands_by_logs_nothing_and_goes_on_when_it_leads(scene: Scene) -> None:
    scene.put()
    scene.leads = False
    scene.put(*WAY[:2])
    scene.leads = True
    scene.put(*WAY[:3])
    assert scene.ids == ["uid-1-3"]


def test_a_namesake_is_another_plan(scene: Scene) -> None:
    scene.put(*WAY)
    scene.cache.evict(Key("shop", "plan"))
    scene.put(uid="uid-2")
    scene.put(*WAY[:1], uid="uid-2")
    assert scene.ids == ["uid-2-1"]
