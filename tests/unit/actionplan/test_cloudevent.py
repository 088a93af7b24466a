"""A transition as a CloudEvent: what the specification asks, in words that do not change, within bounds."""

from __future__ import annotations

import copy
import json
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson
from cloudevents.core.bindings.http import HTTPMessage, from_structured
from cloudevents.core.formats.json import JSONFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel_operator.api.actionplan import MAX_DECISIONS
from sentinel_operator.core.actionplan.cloudevent import MEDIA, event, source
from sentinel_operator.core.actionplan.history import untold
from tests.unit.actionplan.world import Executor, World, a_decision, a_deployment

LARGEST = 64 * 1024
"""What every receiver has to take, by the specification."""


def a_plan() -> dict[str, Any]:
    world = World()
    world.put(a_deployment())
    world.settle()
    world.submit(a_decision("scale", params={"replicas": 5}), correlationId="incident 4711")
    Executor(world).run()
    return copy.deepcopy(world.get("ActionPlan", "plan"))


def read(said: dict[str, Any]) -> Any:
    return from_structured(HTTPMessage({"content-type": MEDIA}, orjson.dumps(said)), JSONFormat())


def test_an_event_is_what_the_sdk_reads() -> None:
    raw = a_plan()
    for transition in untold(raw, 0):
        told = read(event(raw, transition, cluster_id="edge-7"))
        assert told.get_specversion() == "1.0"
        assert told.get_id() == f"{raw['metadata']['uid']}-{transition['number']}"
        assert told.get_type() == f"dev.sentinel.actionplan.{transition['state'].lower()}"
        assert (told.get_source(), told.get_subject()) == ("/clusters/edge-7/sentinel-operator", "shop/plan")
        assert told.get_time().strftime("%Y-%m-%dT%H:%M:%SZ") == transition["at"]
        assert told.get_extension("partitionkey") == raw["metadata"]["uid"]
    assert told.get_data() == {
        "planId": "plan",
        "correlationId": "incident 4711",
        "source": "inframind",
        "requestedBy": "inframind",
        "number": 6,
        "from": "Executing",
        "state": "Completed",
        "message": "every decision is done",
        "decisions": [
            {
                "id": "scale-web",
                "verb": "scale",
                "target": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
                "state": "Done",
                "message": "done",
                "startedAt": "2026-01-30T12:00:00Z",
                "finishedAt": raw["status"]["finishedAt"],
            }
        ],
    }


def test_an_event_is_the_same_whenever_it_is_made() -> None:
    world = World()
    world.put(a_deployment())
    world.settle()
    world.submit(a_decision("scale", params={"replicas": 5}))
    executor, made = Executor(world), dict[str, Any]()
    for _ in range(30):
        executor.pass_over()
        world.settle()
        raw = world.get("ActionPlan", "plan")
        for transition in untold(raw, 0):
            said = event(raw, transition, cluster_id="")
            assert made.setdefault(said["id"], said) == said
    assert len(made) == 6


def test_the_numbers_sort_as_texts() -> None:
    raw = a_plan()
    told = [event(raw, {**untold(raw, 0)[0], "number": number}, cluster_id="")["sequence"] for number in (9, 10, 100)]
    assert told == sorted(told)


@given(st.text(max_size=253))
def test_whatever_the_cluster_is_called_the_source_is_a_reference(cluster: str) -> None:
    path = urlsplit(source(cluster)).path
    assert path.isascii()
    assert unquote(path) == (f"/clusters/{cluster}/sentinel-operator" if cluster else "/sentinel-operator")


def a_large(letter: str) -> dict[str, Any]:
    long = letter * 4096
    target = dict.fromkeys(("apiVersion", "kind", "namespace", "name"), long)
    decisions = [{"id": f"{number}{long}"[:63], "verb": "scale", "target": target} for number in range(MAX_DECISIONS)]
    became = [{"id": each["id"], "state": "Failed", "message": long} for each in decisions]
    said = {"planId": long, "correlationId": long, "source": long, "mode": long, "decisions": decisions}
    by = {"username": long, "groups": [long] * 64}
    history = [{"number": 1, "state": "Failed", "at": "2026-01-30T12:00:00Z", "message": long}]
    status = {"history": history, "requestedBy": by, "approval": {"by": by}, "decisions": became}
    metadata = {"uid": "u" * 36, "namespace": "n" * 63, "name": "p" * 253}
    return {"metadata": metadata, "spec": said, "status": status}


def test_the_largest_plan_is_taken_by_every_receiver() -> None:
    for letter in ("a", "ä", "語", '"'):
        raw = a_large(letter)
        valid = [{**each, "target": {**each["target"], "name": "n" * 253, "namespace": "n" * 63, "kind": "Deployment",
                                     "apiVersion": "apps/v1"}} for each in raw["spec"]["decisions"]]  # fmt: skip
        raw["spec"]["decisions"] = valid
        body = orjson.dumps(event(raw, raw["status"]["history"][0], cluster_id="c" * 253))
        assert len(body) < LARGEST
        assert read(json.loads(body)).get_id()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(JSON, JSON, JSON)
def test_a_plan_that_does_not_validate_is_told_of_all_the_same(spec: Any, decisions: Any, approval: Any) -> None:
    history = [{"number": 1, "state": "Rejected", "at": "2026-01-30T12:00:00Z"}]
    raw = {
        "metadata": {"uid": "u", "name": "plan"},
        "spec": {"decisions": decisions, **spec} if isinstance(spec, dict) else spec,
        "status": {"history": history, "approval": approval, "decisions": decisions, "requestedBy": spec},
    }
    assert read(event(raw, history[0], cluster_id="")).get_data()["state"] == "Rejected"
