"""How a cluster begins and ends. Whatever is interrupted, the next command finds it and clears it away."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from devcluster import addons, gateway, kernel, programs
from devcluster.allocation import free_index, free_ports, remove_record
from devcluster.errors import DevclusterError
from devcluster.layout import Layout
from devcluster.locks import cluster_lock, locked, machine_lock
from devcluster.network import bridges
from devcluster.node_settings import MOUNT_POINTS
from devcluster.paths import state_root
from devcluster.pki import Pki

Say = Callable[[str], None]
AnyLayout = TypeVar("AnyLayout", bound=Layout)
_NODES_READY = 120.0
_EMPTY = 15.0
_ATTEMPTS = 3
_PORT_TAKEN = "address already in use"


def bring_up(wanted: AnyLayout, say: Say) -> AnyLayout:
    """Gives the running cluster that is as wanted, or brings it up anew; what is left of a killed one goes first."""
    binaries = _binaries(wanted, say)
    with locked(cluster_lock(wanted.name)):
        there = type(wanted).find(wanted.name)
        if there is not None and there.healthy() and _answers(there, wanted):
            say(f"cluster {wanted.name} is up")
            return there
        if there is not None:
            say(f"removing what is left of cluster {wanted.name}, or is not as wanted")
        _remove(wanted.name)
        shutil.rmtree(_failed(wanted.name), ignore_errors=True)
        for attempt in range(1, _ATTEMPTS + 1):
            cluster = _allocated(wanted)
            try:
                _start(cluster, binaries, say)
            except BaseException as error:
                _keep_logs(cluster)
                _remove(cluster.name)
                # A port may be taken between the moment it was found free and the moment it is used.
                if wanted.nodes or attempt == _ATTEMPTS or _PORT_TAKEN not in str(error):
                    raise
            else:
                return cluster
    raise AssertionError("the last attempt returns or raises")


def remove(name: str) -> None:
    """Removes whatever there is of a cluster, running, half made or killed; nothing there is no error."""
    with locked(cluster_lock(name)):
        _remove(name)
        shutil.rmtree(_failed(name), ignore_errors=True)


def _binaries(wanted: Layout, say: Say) -> dict[str, Path]:
    binaries = {"kube": programs.kube(say)}
    if wanted.nodes:
        binaries["pause"] = programs.pause(say)
    if wanted.gateway:
        binaries["traefik"] = programs.traefik(say)
    return binaries


def _answers(there: Layout, wanted: Layout) -> bool:
    """Tells whether the one that is there has what is wanted; more than that is no harm."""
    return (
        there.nodes == wanted.nodes
        and there.controller_manager >= wanted.controller_manager
        and there.gateway >= wanted.gateway
        and there.audit >= wanted.audit
    )


def _allocated(wanted: AnyLayout) -> AnyLayout:
    if not wanted.nodes:
        cluster = dataclasses.replace(wanted, ports=free_ports())
        cluster.write()
        return cluster
    with locked(machine_lock()):
        cluster = dataclasses.replace(wanted, index=free_index(wanted.name, wanted.folder))
        # Written down first: killed in between, the next command finds a record and no network, and that is no error.
        cluster.write()
        cluster.network.claim()
        kernel.prepare()
    return cluster


def _start(cluster: Layout, binaries: dict[str, Path], say: Say) -> None:
    cluster.kube.symlink_to(binaries["kube"])
    if cluster.nodes:
        cluster.network.create(cluster.nodes)
    pki = cluster.control_plane.prepare()
    if cluster.nodes:
        # Their runtimes start beside the control plane.
        say(f"starting the control plane and {cluster.nodes} node(s)")
        _start_nodes(cluster, pki, binaries["pause"])
    else:
        say("starting the API server")
    cluster.control_plane.start()
    if cluster.nodes:
        for node in cluster.all_nodes:
            node.join()
        _start_dns(cluster)
        _await_nodes(cluster)
    if cluster.gateway:
        gateway.start(cluster, binaries["traefik"], say)
    cluster.complete.touch()


def _start_nodes(cluster: Layout, pki: Pki, pause: Path) -> None:
    for node in cluster.all_nodes:
        addresses = [node.name, cluster.network.address(node.number)]
        pki.issue(node.name, name=f"system:node:{node.name}", groups=["system:nodes"], addresses=addresses)
        cluster.control_plane.write_kubeconfig(cluster.folder / f"{node.name}.conf", pki=pki, user=node.name)
        node.start(pause)


def _start_dns(cluster: Layout) -> None:
    settings = cluster.folder / "Corefile"
    settings.write_text(addons.corefile(address=cluster.network.address(1), kubeconfig=cluster.kubeconfig))
    cluster.processes.start("dns", [*cluster.network.enter(1), cluster.kube, "dns", "-conf", settings])
    cluster.apply(addons.dns_service(cluster.network))


def _await_nodes(cluster: Layout) -> None:
    deadline = time.monotonic() + _NODES_READY
    while time.monotonic() < deadline:
        for node in cluster.all_nodes:
            cluster.processes.require(node.name)
        found = cluster.get("nodes")["items"]
        conditions = [one for node in found for one in node.get("status", {}).get("conditions", ())]
        if sum(one["type"] == "Ready" and one["status"] == "True" for one in conditions) == cluster.nodes:
            return
        time.sleep(0.2)
    raise DevclusterError(f"not every node was ready after {_NODES_READY:.0f} s; see {cluster.processes.logs}")


def _remove(name: str) -> None:
    cluster = Layout.find(name)
    folder = state_root() / name
    if cluster is not None:
        for node in cluster.all_nodes:
            node.stop()
        cluster.processes.stop(*(role for role in cluster.processes.roles() if role != "etcd"), grace=2.0)
        cluster.processes.stop("etcd", grace=1.0)
        if cluster.nodes:
            _await_empty(cluster)
            with locked(machine_lock()):
                cluster.network.remove()
                if not bridges():
                    kernel.restore()
                    _remove_mount_points()
    remove_record(folder)


def _await_empty(cluster: Layout) -> None:
    """Returns when the last process in the nodes' networks is gone: each node's first, which goes after all others."""
    deadline = time.monotonic() + _EMPTY
    while left := [pid for node in cluster.all_nodes for pid in cluster.network.pids(node.number)]:
        if time.monotonic() > deadline:
            raise DevclusterError(f"processes {', '.join(left)} in the networks of {cluster.name} do not end")
        time.sleep(0.02)


def _remove_mount_points() -> None:
    """Removes the empty folders that the nodes' own were mounted over."""
    for point in MOUNT_POINTS:
        with contextlib.suppress(OSError):  # not empty: it is not ours alone
            Path(point).rmdir()


def _keep_logs(cluster: Layout) -> None:
    shutil.rmtree(_failed(cluster.name), ignore_errors=True)
    if cluster.processes.logs.exists():
        shutil.copytree(cluster.processes.logs, _failed(cluster.name))


def _failed(name: str) -> Path:
    return state_root() / f"{name}.failed"
