"""Whatever happens while a version is delivered: no request is lost, and the delivery goes on from where it was."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from demo.load import Load
from devcluster.cluster import Cluster
from tests.e2e.faults import (
    STORE,
    addresses,
    await_restart,
    delete_ready,
    drain,
    gateway,
    kill_leader,
    model,
    node_of,
    node_without_store,
    pods_of,
    version_of,
)
from tests.e2e.rollouts import lossless, replicas, rollout
from tests.e2e.world import MODEL, Raw, World, eventually

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces are made by root alone"),
    pytest.mark.xdist_group("apart"),
]

CANARY: Raw = {
    "strategy": "Canary",
    "canary": {"steps": [{"setWeight": 10}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]},
}
AT_TEN, AT_FIFTY = 1, 3
"""The steps at which it waits for a person."""


def number(cluster: Cluster) -> int:
    """Gives the pods of the model. A route does not send a revision's share elsewhere when its only pod is gone, and
    half of two is one."""
    return 4 if cluster.gateway else 2


@pytest.fixture(scope="module")
def load(apart: World, apart_cluster: Cluster) -> Iterator[Load]:
    """Gives the client of a model that serves with several pods."""
    if apart_cluster.gateway:
        apart.apply(gateway())
    deliver(apart, apart_cluster, "1.0.0", {"strategy": "RollingUpdate"})
    apart.await_ready()
    load = Load(apart.cluster, apart.namespace, MODEL, addresses(apart_cluster), name="asking")
    load.start(node=node_of(apart_cluster, *STORE))
    yield load
    load.stop()


def test_a_canary_gets_through_everything_that_happens_to_it(load: Load, apart: World, apart_cluster: Cluster) -> None:
    """The leader is killed at each step; meanwhile pods of both revisions are deleted and a node is drained."""
    before = load.tally()

    deliver(apart, apart_cluster, "canary", CANARY)
    eventually(lambda: rollout(apart).get("candidate"), within=60)
    killed = kill_leader(apart_cluster)
    await_pause(apart, AT_TEN)
    assert shares(apart) == [10, 10 if apart_cluster.gateway else 33]
    await_restart(apart_cluster, killed)
    lossless(load, before)

    promote(apart, apart_cluster, "canary")
    killed = kill_leader(apart_cluster)
    delete_ready(apart, pods_of(apart, "1.0.0"))
    await_pause(apart, AT_FIFTY)
    eventually(lambda: shares(apart) == [50, 50], within=60, otherwise=lambda: str(rollout(apart)))
    await_restart(apart_cluster, killed)
    lossless(load, before)

    killed = kill_leader(apart_cluster)
    delete_ready(apart, pods_of(apart, "canary"))
    await_restart(apart_cluster, killed)
    lossless(load, before)
    drained = node_without_store(apart_cluster)
    try:
        drain(apart_cluster, drained)
    finally:
        apart_cluster.kubectl("uncordon", drained)
    await_pause(apart, AT_FIFTY)
    eventually(lambda: shares(apart) == [50, 50], within=60, otherwise=lambda: str(rollout(apart)))
    lossless(load, before)

    promote(apart, apart_cluster, "canary")
    eventually(lambda: rollout(apart).get("step", 0) > AT_FIFTY, within=60, otherwise=lambda: str(rollout(apart)))
    killed = kill_leader(apart_cluster)
    assert version_of(apart.await_ready(within=120)) == "canary"
    await_restart(apart_cluster, killed)

    load.await_only("canary")
    during = lossless(load, before)
    assert set(during.versions) == {"1.0.0", "canary"}
    assert set(during.clients) == set(load.clients)
    eventually(
        lambda: replicas(apart) == {"canary": number(apart_cluster)}, within=60, otherwise=lambda: str(replicas(apart))
    )
    verdicts = {each["version"]: each for each in apart.get("sentrymodel", MODEL)["status"]["revisions"]}
    assert (verdicts["canary"]["verdict"], verdicts["canary"]["attempt"]) == ("Promoted", 1)


def test_a_canary_that_is_aborted_gives_everything_back(load: Load, apart: World, apart_cluster: Cluster) -> None:
    """The leader is killed right after the word, so that another has to find it."""
    was, before = version_of(apart.await_ready()), load.tally()
    half = {"strategy": "Canary", "canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}}
    deliver(apart, apart_cluster, "aborted", half)
    await_pause(apart, 1)
    eventually(lambda: "aborted" in load.tally().since(before).versions, within=60)

    deliver(apart, apart_cluster, "aborted", {**half, "abort": rollout(apart)["candidate"]})
    killed = kill_leader(apart_cluster)
    apart.await_ready(status="False", reason="RevisionAborted", within=120)
    load.await_only(was)
    await_restart(apart_cluster, killed)
    eventually(
        lambda: replicas(apart) == {was: number(apart_cluster)}, within=60, otherwise=lambda: str(replicas(apart))
    )
    assert set(lossless(load, before).versions) == {was, "aborted"}


def test_a_switch_is_taken_back_at_once(load: Load, apart: World, apart_cluster: Cluster) -> None:
    """Blue-green: as long as the former pods are there, going back is one change of the routing. A connection that is
    kept stays with its pod as long as that is there: nobody cuts it off."""
    was = version_of(apart.get("sentrymodel", MODEL))
    before = load.tally()
    switched = {"strategy": "BlueGreen", "blueGreen": {"scaleDownDelay": "10m"}}
    deliver(apart, apart_cluster, "green", switched)
    eventually(lambda: rollout(apart).get("weight") == 100, within=90, otherwise=lambda: apart.explain(MODEL))
    eventually(lambda: "green" in load.tally().since(before).versions, within=30)
    assert replicas(apart) == {was: number(apart_cluster), "green": number(apart_cluster)}

    deliver(apart, apart_cluster, "green", {**switched, "abort": rollout(apart)["candidate"]})
    load.await_only(was)
    apart.await_ready(status="False", reason="RevisionAborted")
    eventually(
        lambda: replicas(apart) == {was: number(apart_cluster)}, within=60, otherwise=lambda: str(replicas(apart))
    )
    assert set(lossless(load, before).versions) == {was, "green"}


def deliver(world: World, cluster: Cluster, version: str, rollout: Raw) -> None:
    """Asks for a version; one that is in no store is the second artifact by another name."""
    raw = model(world, cluster, version=version if version[0].isdigit() else "1.1.0")
    raw["spec"]["model"]["version"] = version
    raw["spec"] |= {"rollout": rollout, "replicas": number(cluster)}
    world.apply(raw)


def promote(world: World, cluster: Cluster, version: str) -> None:
    """Says that the canary may go on past the step at which it waits."""
    told = rollout(world)
    word = {"revision": told["candidate"], "attempt": told["attempt"], "step": told["step"]}
    deliver(world, cluster, version, {**CANARY, "promote": word})


def await_pause(world: World, step: int) -> None:
    """Waits until the delivery waits for a person at a step."""
    eventually(
        lambda: (rollout(world).get("phase"), rollout(world).get("step")) == ("Paused", step),
        within=120,
        otherwise=lambda: f"{rollout(world)}\n{world.explain(MODEL)}",
    )


def shares(world: World) -> list[int]:
    """Gives the candidate's weight as it is wanted and as it is."""
    told = rollout(world)
    return [told.get("weightWanted", 0), told.get("weight", 0)]
