"""A version that comes to pods that are there: loaded beside the old one, flipped to, returned from; or shown copies of
requests only. No request is lost, and none is answered by what was not accepted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from demo.load import Load, Tally
from tests.e2e.world import MODEL, Raw, World, condition, eventually

CLIENTS = (f"kept={MODEL}:8080", f"fresh={MODEL}:8080", f"rpc={MODEL}:8081")
HOT_SWAP: Raw = {"strategy": "HotSwap", "hotSwap": {"replay": 30, "minLabelAgreement": 0.8, "keepFor": "3s"}}
AGREEMENT: Raw = {"name": "labels", "builtin": "label-agreement", "interval": "2s", "count": 2, "min": 0.8}
SHADOW: Raw = {
    "strategy": "Shadow",
    "shadow": {"percent": 50, "duration": "4s", "analysis": {"minSamples": 20, "metrics": [AGREEMENT]}},
}


@pytest.fixture
def load(world: World) -> Iterator[Load]:
    """Gives a client of a model that serves with two pods, which follow what they are told."""
    world.apply(_model(world, HOT_SWAP, version="1.0.0"))
    world.await_ready()
    load = Load(world.cluster, world.namespace, MODEL, CLIENTS)
    load.start()
    yield load
    load.stop()


def test_a_version_is_swapped_into_running_pods_and_back(world: World, load: Load) -> None:
    before, pods = load.tally(), _pods(world)
    world.apply(_model(world, HOT_SWAP, version="1.1.0"))
    swapped = world.await_ready(within=120)
    assert swapped["status"]["stable"]["version"] == "1.1.0"
    assert swapped["status"]["verification"]["digest"] == world.index.entry(MODEL, "1.1.0").digest
    load.await_only("1.1.0")
    assert _pods(world) == pods, "no pod was made and none has ended"

    (name, *_) = pods
    world.kubectl("delete", "pod", name, "--wait=true")
    eventually(
        lambda: len(_pods(world)) == 2 and name not in _pods(world), within=60, otherwise=lambda: world.explain(MODEL)
    )
    world.await_ready()
    load.await_only("1.1.0")

    world.apply(_model(world, HOT_SWAP, version="1.0.0"))
    back = world.await_ready(within=120)
    assert back["status"]["stable"]["version"] == "1.0.0"
    assert "host" not in back["status"]["rollout"]
    load.await_only("1.0.0")
    assert set(_lossless(load, before).versions) == {"1.0.0", "1.1.0"}


def test_a_version_that_cannot_be_loaded_or_is_told_to_go_never_stays(world: World, load: Load) -> None:
    before, pods = load.tally(), _pods(world)
    world.apply(_model(world, HOT_SWAP, version="2.0.0-missing-feature"))
    rejected = world.await_ready(status="False", reason="RevisionRejected", within=120)
    assert "SchemaMismatch" in condition(rejected, "Ready")["message"]
    assert set(load.tally().since(before).versions) == {"1.0.0"}

    kept: Raw = {**HOT_SWAP, "hotSwap": {**HOT_SWAP["hotSwap"], "keepFor": "1h"}}
    world.apply(_model(world, kept, version="1.1.0"))
    load.await_only("1.1.0")
    candidate = world.get("sentrymodel", MODEL)["status"]["rollout"]["candidate"]
    world.apply(_model(world, {**kept, "abort": candidate}, version="1.1.0"))
    load.await_only("1.0.0")
    aborted = world.await_ready(status="False", reason="RevisionAborted")
    assert aborted["status"]["stable"]["version"] == "1.0.0"
    assert _pods(world) == pods
    _lossless(load, before)


def test_a_shadow_sees_requests_and_answers_none_until_it_takes_over(world: World, load: Load) -> None:
    before = load.tally()
    world.apply(_model(world, SHADOW, version="1.1.0"))
    eventually(lambda: _rollout(world).get("step") == 1, within=90, otherwise=lambda: world.explain(MODEL))
    assert set(load.tally().since(before).versions) == {"1.0.0"}

    def compared() -> Any:
        analysis = _rollout(world).get("analysis") or {}
        return next(
            (each for each in analysis.get("metrics", ()) if each["name"] == "labels" and each.get("value")), None
        )

    found = eventually(compared, within=60, otherwise=lambda: json.dumps(_rollout(world)))
    assert float(found["value"]) > 0.8
    promoted = world.await_ready(within=180)
    assert promoted["status"]["stable"]["version"] == "1.1.0"
    load.await_only("1.1.0")
    _lossless(load, before)


def _model(world: World, rollout: Raw, *, version: str) -> Raw:
    raw = world.model(version=version, replicas=2)
    raw["spec"]["rollout"] = rollout
    return raw


def _pods(world: World) -> set[str]:
    found = world.list("pods", f"sentinel.dev/name={MODEL}")
    return {each["metadata"]["name"] for each in found if not each["metadata"].get("deletionTimestamp")}


def _rollout(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.get("sentrymodel", MODEL)["status"].get("rollout", {})
    return found


def _lossless(load: Load, before: Tally) -> Tally:
    during = load.tally().since(before)
    assert during.failures == ()
    assert during.failed == 0
    return during
