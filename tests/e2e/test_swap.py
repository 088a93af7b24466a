"""A version that comes to pods that are there: loaded beside the old one, flipped to, returned from; or shown copies of
requests only. No request is lost, and none is answered by what was not accepted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from demo.load import Load
from tests.e2e.rollouts import delivered, lossless, pod_names, rollout, under_requests
from tests.e2e.world import MODEL, Raw, World, condition, eventually

HOT_SWAP: Raw = {"strategy": "HotSwap", "hotSwap": {"replay": 30, "minLabelAgreement": 0.8, "keepFor": "3s"}}
AGREEMENT: Raw = {"name": "labels", "builtin": "label-agreement", "interval": "2s", "count": 2, "min": 0.8}
SHADOW: Raw = {
    "strategy": "Shadow",
    "shadow": {"percent": 50, "duration": "4s", "analysis": {"minSamples": 20, "metrics": [AGREEMENT]}},
}


@pytest.fixture
def load(world: World) -> Iterator[Load]:
    """Gives a client of a model that serves with two pods, which follow what they are told."""
    with under_requests(world, delivered(world, HOT_SWAP, version="1.0.0")) as load:
        yield load


def test_a_version_is_swapped_into_running_pods_and_back(world: World, load: Load) -> None:
    before, pods = load.tally(), pod_names(world)
    world.apply(delivered(world, HOT_SWAP, version="1.1.0"))
    swapped = world.await_ready(within=120)
    assert swapped["status"]["stable"]["version"] == "1.1.0"
    assert swapped["status"]["verification"]["digest"] == world.index.entry(MODEL, "1.1.0").digest
    load.await_only("1.1.0")
    assert pod_names(world) == pods, "no pod was made and none has ended"

    (name, *_) = pods
    world.kubectl("delete", "pod", name, "--wait=true")
    eventually(
        lambda: len(pod_names(world)) == 2 and name not in pod_names(world),
        within=60,
        otherwise=lambda: world.explain(MODEL),
    )
    world.await_ready()
    load.await_only("1.1.0")

    world.apply(delivered(world, HOT_SWAP, version="1.0.0"))
    back = world.await_ready(within=120)
    assert back["status"]["stable"]["version"] == "1.0.0"
    assert "host" not in back["status"]["rollout"]
    load.await_only("1.0.0")
    assert set(lossless(load, before).versions) == {"1.0.0", "1.1.0"}


def test_a_version_that_cannot_be_loaded_or_is_told_to_go_never_stays(world: World, load: Load) -> None:
    before, pods = load.tally(), pod_names(world)
    world.apply(delivered(world, HOT_SWAP, version="2.0.0-missing-feature"))
    rejected = world.await_ready(status="False", reason="RevisionRejected", within=120)
    assert "SchemaMismatch" in condition(rejected, "Ready")["message"]
    assert set(load.tally().since(before).versions) == {"1.0.0"}

    kept: Raw = {**HOT_SWAP, "hotSwap": {**HOT_SWAP["hotSwap"], "keepFor": "1h"}}
    world.apply(delivered(world, kept, version="1.1.0"))
    load.await_only("1.1.0")
    candidate = world.get("sentrymodel", MODEL)["status"]["rollout"]["candidate"]
    world.apply(delivered(world, {**kept, "abort": candidate}, version="1.1.0"))
    load.await_only("1.0.0")
    aborted = world.await_ready(status="False", reason="RevisionAborted")
    assert aborted["status"]["stable"]["version"] == "1.0.0"
    assert pod_names(world) == pods
    lossless(load, before)


def test_a_shadow_sees_requests_and_answers_none_until_it_takes_over(world: World, load: Load) -> None:
    before = load.tally()
    world.apply(delivered(world, SHADOW, version="1.1.0"))
    eventually(lambda: rollout(world).get("step") == 1, within=90, otherwise=lambda: world.explain(MODEL))
    assert set(load.tally().since(before).versions) == {"1.0.0"}

    def compared() -> Any:
        analysis = rollout(world).get("analysis") or {}
        return next(
            (each for each in analysis.get("metrics", ()) if each["name"] == "labels" and each.get("value")), None
        )

    found = eventually(compared, within=60, otherwise=lambda: json.dumps(rollout(world)))
    assert float(found["value"]) > 0.8
    promoted = world.await_ready(within=180)
    assert promoted["status"]["stable"]["version"] == "1.1.0"
    load.await_only("1.1.0")
    lossless(load, before)
