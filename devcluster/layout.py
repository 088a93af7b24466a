"""What a cluster is made of, where each part lies, and how one speaks to it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import yaml

from devcluster.allocation import IN_A_NODE, Ports, read_record, write_record
from devcluster.control_plane import ControlPlane
from devcluster.locks import cluster_lock
from devcluster.network import Network
from devcluster.node import Node
from devcluster.paths import state_root
from devcluster.processes import Processes, run


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One cluster of this machine. `nodes` 0 is an API server alone, on loopback."""

    name: str
    nodes: int
    ports: Ports = IN_A_NODE
    index: int = 0
    controller_manager: bool = True
    gateway: bool = False
    audit: bool = False

    @classmethod
    def find(cls, name: str) -> Self | None:
        """Gives the cluster that was brought up under this name, running or not."""
        record = read_record(state_root() / name)
        return None if record is None else cls(**record)

    def write(self) -> None:
        """Writes down what `find` gives."""
        write_record(self.folder, asdict(self))

    @property
    def folder(self) -> Path:
        """Gives the folder of its state."""
        return state_root() / self.name

    @property
    def complete(self) -> Path:
        """Gives the file that is there when the cluster has come up whole."""
        return self.folder / "complete"

    @property
    def kube(self) -> Path:
        """Gives the program that it was started with."""
        return self.folder / "kube"

    @property
    def kubeconfig(self) -> Path:
        """Gives the administrator's kubeconfig."""
        return self.folder / "admin.conf"

    @property
    def processes(self) -> Processes:
        """Gives its processes."""
        return Processes(self.folder / "processes", self.folder / "log", cluster_lock(self.name))

    @property
    def network(self) -> Network:
        """Gives its network."""
        return Network(self.name, self.index, self.folder)

    @property
    def all_nodes(self) -> list[Node]:
        """Gives its nodes."""
        return [
            Node(number=number, kube=self.kube, cluster=self.folder, network=self.network, processes=self.processes)
            for number in range(1, self.nodes + 1)
        ]

    @property
    def control_plane(self) -> ControlPlane:
        """Gives its control plane, to stop and start parts of it."""
        port, etcd, peer = self.ports
        return ControlPlane(
            kube=self.kube,
            folder=self.folder,
            processes=self.processes,
            address=self.network.address(1) if self.nodes else "127.0.0.1",
            port=port,
            etcd_port=etcd,
            etcd_peer_port=peer,
            enter=self.network.enter(1) if self.nodes else (),
            nodes=bool(self.nodes),
            controller_manager=self.controller_manager,
            audit=self.audit,
        )

    def healthy(self) -> bool:
        """Tells whether it came up whole and every process of it runs."""
        return self.complete.exists() and all(self.processes.alive(role) for role in self.processes.roles())

    @property
    def kubectl_command(self) -> list[str]:
        """Gives the words that run kubectl against it."""
        # What kubectl remembers of an address is wrong for the next cluster there.
        own = [f"--kubeconfig={self.kubeconfig}", f"--cache-dir={self.folder / 'kubectl'}"]
        return [str(self.kube), "kubectl", *own]

    def kubectl(self, *words: str, text: str | None = None, timeout: float = 120.0) -> str:
        """Runs kubectl and gives what it printed; raises DevclusterError with its words when it fails."""
        return run([*self.kubectl_command, *words], text=text, timeout=timeout)

    def get(self, *words: str) -> Any:
        """Runs kubectl get and gives the object or list."""
        return json.loads(self.kubectl("get", *words, "--output=json"))

    def apply(self, objects: Sequence[object]) -> None:
        """Applies objects server-side."""
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", text=yaml.safe_dump_all(objects))
