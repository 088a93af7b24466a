"""A new version is delivered step by step, judged by what it does, and taken back by itself; no request is lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from demo.load import Load
from tests.e2e.rollouts import delivered, lossless, replicas, rollout, under_requests
from tests.e2e.world import MODEL, Raw, World, condition, eventually

QUICK: Raw = {"interval": "2s", "count": 3}
ANALYSIS: Raw = {
    "minSamples": 20,
    "metrics": [
        {"name": "errors", "builtin": "error-rate", **QUICK},
        {"name": "labels", "builtin": "label-agreement", "min": 0.8, **QUICK},
        {"name": "uncertain", "builtin": "uncertain-share", "max": 0.5, **QUICK},
    ],
}
CANARY: Raw = {"strategy": "Canary", "canary": {"steps": [{"setWeight": 50}, {"analysis": ANALYSIS}]}}


@pytest.fixture
def load(world: World) -> Iterator[Load]:
    """Gives a client of a model that serves with two pods and is delivered as a canary."""
    with under_requests(world, delivered(world, CANARY, version="1.0.0")) as load:
        yield load


def test_a_good_canary_is_promoted_by_what_it_does(world: World, load: Load) -> None:
    before = load.tally()
    world.apply(delivered(world, CANARY, version="1.1.0"))
    eventually(lambda: rollout(world).get("step") == 1, within=90, otherwise=lambda: world.explain(MODEL))
    shared = world.get("service", MODEL)["spec"]["selector"]
    assert "sentinel.dev/revision" not in shared, "both revisions answer"
    promoted = world.await_ready(within=180)
    assert promoted["status"]["stable"]["version"] == "1.1.0"
    assert _verdict(promoted, "1.1.0") == "Promoted"
    load.await_only("1.1.0")
    during = lossless(load, before)
    assert set(during.versions) == {"1.0.0", "1.1.0"}
    eventually(lambda: replicas(world) == {"1.1.0": 2}, within=120, otherwise=lambda: str(replicas(world)))


def test_a_canary_that_does_worse_is_taken_back_and_stays_away(world: World, load: Load) -> None:
    before, bad = load.tally(), _never_sure(delivered(world, CANARY, version="1.0.0"))
    world.apply(bad)
    rejected = world.await_ready(status="False", reason="RevisionRejected", within=180)
    assert "uncertain" in condition(rejected, "Ready")["message"]
    assert condition(rejected, "Stalled")["status"] == "True"
    assert rejected["status"]["stable"]["version"] == "1.0.0"
    assert _verdict(rejected, "unsure") == "Rejected"
    load.await_only("1.0.0")
    eventually(lambda: replicas(world) == {"1.0.0": 2}, within=120, otherwise=lambda: str(replicas(world)))

    world.apply(delivered(world, CANARY, version="1.0.0"))
    world.await_ready()
    world.apply(bad)
    world.await_ready(status="False", reason="RevisionRejected")
    assert replicas(world) == {"1.0.0": 2}, "what was rejected gets no pod again"
    assert set(lossless(load, before).versions) == {"1.0.0", "unsure"}


def test_blue_green_switches_at_once_when_a_person_says_so(world: World, load: Load) -> None:
    blue_green = {"strategy": "BlueGreen", "blueGreen": {"autoPromote": False, "scaleDownDelay": "5s"}}
    before = load.tally()
    world.apply(delivered(world, blue_green, version="1.1.0"))
    waiting = world.await_ready(status="False", reason="Paused")
    preview = world.get("service", f"{MODEL}-preview")["spec"]["selector"]["sentinel.dev/revision"]
    told = waiting["status"]["rollout"]
    assert preview == told["candidate"]
    assert set(load.tally().since(before).versions) == {"1.0.0"}

    word = {"revision": told["candidate"], "attempt": told["attempt"], "step": told["step"]}
    world.apply(delivered(world, {**blue_green, "promote": word}, version="1.1.0"))
    assert world.await_ready()["status"]["stable"]["version"] == "1.1.0"
    load.await_only("1.1.0")
    lossless(load, before)


def _never_sure(raw: Raw) -> Raw:
    """A mistake that no schema shows: a threshold that no answer reaches."""
    raw["spec"]["model"]["version"] = "unsure"
    raw["spec"]["schema"]["threshold"] = 1.0
    return raw


def _verdict(model: Raw, version: str) -> str:
    return str(next(each["verdict"] for each in model["status"]["revisions"] if each["version"] == version))
