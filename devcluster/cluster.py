"""A cluster by name: up, down, and what one does with it in between."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from devcluster import addons, debian, pauseimage, programs
from devcluster.control_plane import ControlPlane
from devcluster.errors import DevclusterError
from devcluster.network import Network
from devcluster.node import Node
from devcluster.paths import state_root
from devcluster.processes import Processes, run

Say = Callable[[str], None]
_CLUSTERS = 50
_NODES_READY = 120.0


def _silent(_: str) -> None:
    """Says nothing."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster of this machine. `nodes` 0 is an API server alone, on loopback."""

    name: str
    nodes: int
    ports: tuple[int, int, int] = (6443, 2379, 2380)
    index: int = 0
    controller_manager: bool = True
    owned: bool = field(default=False, compare=False)

    # ------------------------------------------------------------------ life

    @classmethod
    def up(cls, *, name: str = "dev", nodes: int = 1, say: Say = _silent) -> Cluster:
        """Gives the running cluster of this name, or brings it up anew; remains of a killed one are removed first."""
        if os.geteuid() != 0:
            raise DevclusterError("a local cluster with nodes needs root: it makes network namespaces")
        debian.require(debian.NODES, say)
        return cls._up(name=name, nodes=nodes, controller_manager=True, say=say)

    @classmethod
    def api_only(cls, *, name: str, controller_manager: bool = False, say: Say = _silent) -> Cluster:
        """Gives an API server without nodes, on free loopback ports; as a context manager it ends with the block."""
        return cls._up(name=name, nodes=0, controller_manager=controller_manager, say=say)

    @classmethod
    def find(cls, name: str) -> Cluster | None:
        """Gives the cluster that was brought up under this name, running or not."""
        try:
            recorded = json.loads((state_root() / name / "cluster.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        recorded["ports"] = tuple(recorded["ports"])
        return cls(**recorded)

    @classmethod
    def _up(cls, *, name: str, nodes: int, controller_manager: bool, say: Say) -> Cluster:
        if not name.isidentifier() or len(name) > 12:
            raise DevclusterError(f"{name!r} is no name for a cluster: letters and digits, at most 12")
        kube = programs.kube(say)
        pause = programs.pause(say) if nodes else None
        with _locked(name):
            there = cls.find(name)
            if there is not None and there.nodes == nodes and there.healthy():
                say(f"cluster {name} is up")
                return there
            remove(name)
            cluster = cls._allocate(name=name, nodes=nodes, controller_manager=controller_manager)
            try:
                cluster._start(kube, pause, say)
            except BaseException:
                cluster._keep_logs()
                remove(name)
                raise
        return cluster

    def down(self) -> None:
        """Removes the cluster and everything that it made."""
        with _locked(self.name):
            remove(self.name)

    def healthy(self) -> bool:
        """Tells whether every process of it runs."""
        roles = self.processes.roles()
        wanted = {"etcd", "apiserver", *(node.name for node in self.all_nodes)}
        return wanted <= set(roles) and all(self.processes.alive(role) for role in roles)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    # ------------------------------------------------------------------ use

    @property
    def folder(self) -> Path:
        """Gives the folder of its state."""
        return state_root() / self.name

    @property
    def kubeconfig(self) -> Path:
        """Gives the administrator's kubeconfig."""
        return self.folder / "admin.conf"

    @property
    def processes(self) -> Processes:
        """Gives its processes."""
        return Processes(self.folder / "processes", self.folder / "log")

    @property
    def network(self) -> Network:
        """Gives its network."""
        return Network(self.name, self.index)

    @property
    def all_nodes(self) -> list[Node]:
        """Gives its nodes."""
        return [self._node(number, programs_kube(self.folder)) for number in range(1, self.nodes + 1)]

    @property
    def control_plane(self) -> ControlPlane:
        """Gives its control plane, to stop and start parts of it."""
        port, etcd, peer = self.ports
        return ControlPlane(
            kube=programs_kube(self.folder),
            folder=self.folder,
            processes=self.processes,
            address=self.network.address(1) if self.nodes else "127.0.0.1",
            port=port,
            etcd_port=etcd,
            etcd_peer_port=peer,
            enter=self.network.enter(1) if self.nodes else (),
            nodes=bool(self.nodes),
            controller_manager=self.controller_manager,
        )

    @property
    def kubectl_command(self) -> list[str]:
        """Gives the words that run kubectl against it."""
        return [str(programs_kube(self.folder)), "kubectl", f"--kubeconfig={self.kubeconfig}"]

    def kubectl(self, *words: str, text: str | None = None, timeout: float = 120.0) -> str:
        """Runs kubectl and gives what it printed; raises DevclusterError with its words when it fails."""
        return run([*self.kubectl_command, *words], text=text, timeout=timeout)

    def apply(self, objects: Sequence[object]) -> None:
        """Applies objects server-side."""
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", text=yaml.safe_dump_all(objects))

    def load(self, archive: Path, *, image: str) -> None:
        """Brings an image archive into every node that does not have it yet."""
        for node in self.all_nodes:
            marker = node.folder / f"loaded-{archive.stem}"
            if not marker.exists() or f"{image}" not in node.images():
                node.load(archive)
                marker.touch()

    # ------------------------------------------------------------------ inside

    @classmethod
    def _allocate(cls, *, name: str, nodes: int, controller_manager: bool) -> Cluster:
        with _locked("allocation"):
            others = [cls.find(path.name) for path in state_root().iterdir() if path.is_dir() and path.name != name]
            used = {other.index for other in others if other is not None}
            index = next(number for number in range(_CLUSTERS) if number not in used)
            ports = (6443, 2379, 2380) if nodes else _free_ports()
            cluster = cls(name, nodes, ports, index, controller_manager)
            cluster.folder.mkdir(parents=True, exist_ok=True)
            recorded = {"name": name, "nodes": nodes, "ports": ports, "index": index}
            (cluster.folder / "cluster.json").write_text(
                json.dumps({**recorded, "controller_manager": controller_manager})
            )
        return cluster

    def _start(self, kube: Path, pause: Path | None, say: Say) -> None:
        (self.folder / "kube").symlink_to(kube)
        if self.nodes:
            self.network.create(self.nodes)
        control_plane = self.control_plane
        pki = control_plane.prepare()
        say("starting the control plane")
        control_plane.start()
        if not self.nodes or pause is None:
            return
        say(f"starting {self.nodes} node(s)")
        for node in self.all_nodes:
            address = self.network.address(node.number)
            pki.issue(
                node.name, name=f"system:node:{node.name}", groups=["system:nodes"], addresses=[node.name, address]
            )
            control_plane.write_kubeconfig(self.folder / f"{node.name}.conf", pki=pki, user=node.name)
            node.folder.mkdir(exist_ok=True)
            pauseimage.write(pause, node.folder / "pause.tar")
            node.start()
        self._start_dns()
        self._await_nodes()

    def _start_dns(self) -> None:
        settings = self.folder / "Corefile"
        settings.write_text(addons.corefile(address=self.network.address(1), kubeconfig=self.kubeconfig))
        self.processes.start("dns", [*self.network.enter(1), self.folder / "kube", "dns", "-conf", settings])
        self.apply(addons.dns_service(self.network))

    def _await_nodes(self) -> None:
        deadline = time.monotonic() + _NODES_READY
        while time.monotonic() < deadline:
            for node in self.all_nodes:
                self.processes.require(node.name)
            if _ready_nodes(json.loads(self.kubectl("get", "nodes", "-o", "json"))) == self.nodes:
                return
            time.sleep(0.2)
        raise DevclusterError(f"not every node was ready after {_NODES_READY:.0f} s; see {self.processes.logs}")

    def _node(self, number: int, kube: Path) -> Node:
        return Node(
            number=number,
            kube=kube,
            pause=self.folder / "pause.tar",
            cluster=self.folder,
            network=self.network,
            processes=self.processes,
        )

    def _keep_logs(self) -> None:
        kept = state_root() / f"{self.name}.failed"
        shutil.rmtree(kept, ignore_errors=True)
        if self.processes.logs.exists():
            shutil.copytree(self.processes.logs, kept)


def programs_kube(folder: Path) -> Path:
    """Gives the binary that a cluster was started with."""
    return folder / "kube"


def remove(name: str) -> None:
    """Removes whatever there is of a cluster, running, half made or killed; nothing there is no error."""
    cluster = Cluster.find(name)
    folder = state_root() / name
    if cluster is not None:
        for node in cluster.all_nodes:
            node.stop()
        cluster.processes.stop(*[role for role in cluster.processes.roles() if role != "etcd"], grace=2.0)
        cluster.processes.stop("etcd", grace=1.0)
        if cluster.nodes:
            cluster.network.remove()
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        raise DevclusterError(f"{folder} could not be removed whole")


@contextlib.contextmanager
def _locked(name: str) -> Iterator[None]:
    """Lets one command at a time work on a cluster."""
    with (state_root() / f".{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _free_ports() -> tuple[int, int, int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(3)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        first, second, third = (int(each.getsockname()[1]) for each in sockets)
    return first, second, third


def _ready_nodes(listed: dict[str, Any]) -> int:
    conditions = (condition for node in listed["items"] for condition in node.get("status", {}).get("conditions", ()))
    return sum(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
