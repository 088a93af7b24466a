"""Whatever happens to pods, nodes, the operator or the API server: no request is lost, what is declared comes true.

One model serves all along, and one client asks it all along: by its Service, over kept and new connections and over
gRPC, and by a gateway where there is one.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import pytest

from demo.load import Load
from devcluster.cluster import Cluster
from tests.e2e.faults import (
    GATEWAY_PORT,
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
from tests.e2e.rollouts import pods
from tests.e2e.world import MODEL, World, eventually

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces are made by root alone"),
    pytest.mark.xdist_group("apart"),
]


@pytest.fixture(scope="module")
def load(apart: World, apart_cluster: Cluster) -> Iterator[Load]:
    """Gives the client of a model that serves with two pods."""
    if apart_cluster.gateway:
        apart.apply(gateway())
    apart.apply(model(apart, apart_cluster, version="1.0.0"))
    apart.await_ready()
    load = Load(apart.cluster, apart.namespace, MODEL, addresses(apart_cluster))
    # Beside the store: the other node is drained.
    load.start(node=node_of(apart_cluster, *STORE))
    yield load
    load.stop()


@contextmanager
def _pod_deleted(world: World, _: Cluster) -> Iterator[None]:
    delete_ready(world, pods(world))
    yield


@contextmanager
def _node_drained(_: World, cluster: Cluster) -> Iterator[None]:
    drained = node_without_store(cluster)
    try:
        drain(cluster, drained)
        yield
    finally:
        cluster.kubectl("uncordon", drained)


@contextmanager
def _leader_killed(_: World, cluster: Cluster) -> Iterator[None]:
    killed = kill_leader(cluster)
    yield
    await_restart(cluster, killed)


DISTURBANCES: dict[str, Callable[[World, Cluster], AbstractContextManager[None]]] = {
    "undisturbed": lambda *_: nullcontext(),
    "a pod is deleted": _pod_deleted,
    "a node is drained": _node_drained,
    "the leading operator is killed": _leader_killed,
}


@pytest.mark.parametrize("disturb", DISTURBANCES.values(), ids=DISTURBANCES)
def test_a_rolling_update_loses_no_request(
    load: Load,
    apart: World,
    apart_cluster: Cluster,
    disturb: Callable[[World, Cluster], AbstractContextManager[None]],
) -> None:
    was = version_of(apart.await_ready())
    will = "1.1.0" if was == "1.0.0" else "1.0.0"
    load.await_only(was)
    before = load.tally()

    apart.apply(model(apart, apart_cluster, version=will))
    eventually(lambda: pods_of(apart, will), within=60)
    with disturb(apart, apart_cluster):
        assert version_of(apart.await_ready(within=180)) == will

    load.await_only(will)
    during = load.tally().since(before)
    assert during.failures == ()
    assert during.failed == 0
    assert set(during.versions) == {was, will}
    assert set(during.clients) == set(load.clients)


def test_requests_by_the_gateway_reach_the_model(load: Load, apart: World, apart_cluster: Cluster) -> None:
    if not apart_cluster.gateway:
        pytest.skip("asked for with --gateway, since it builds the data plane from source")
    parents = eventually(lambda: apart.get("httproute", MODEL).get("status", {}).get("parents"), within=30)
    accepted = [one["status"] for parent in parents for one in parent["conditions"] if one["type"] == "Accepted"]
    assert accepted == ["True"]
    client = next(each for each in load.clients if each.endswith(f":{GATEWAY_PORT}"))
    before = load.tally()
    eventually(lambda: load.tally().since(before).clients.get(client, 0) > 20, within=60)


def test_models_serve_while_the_api_server_is_away(load: Load, apart: World, apart_cluster: Cluster) -> None:
    was = version_of(apart.await_ready())
    address, before = load.address(), load.tally()

    apart_cluster.processes.signal("apiserver", signal.SIGKILL)
    try:
        eventually(lambda: not apart_cluster.processes.alive("apiserver"), within=10)
        away = load.tally_at(address)
        eventually(lambda: sum(load.tally_at(address).since(away).versions.values()) > 500, within=60)
        assert not apart_cluster.processes.alive("apiserver")
    finally:
        apart_cluster.control_plane.start_apiserver()
        apart_cluster.control_plane.await_ready()

    will = "1.1.0" if was == "1.0.0" else "1.0.0"
    apart.apply(model(apart, apart_cluster, version=will))
    assert version_of(apart.await_ready(within=180)) == will
    load.await_only(will)
    assert load.tally().since(before).failures == ()
