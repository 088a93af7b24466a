"""One bridge a cluster, one network namespace a node, all in addresses derived from the cluster's index."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.processes import run


@dataclass(frozen=True, slots=True)
class Network:
    """Names and addresses of one cluster. `index` is 0 to 49."""

    name: str
    index: int

    @property
    def bridge(self) -> str:
        """Gives the bridge on the host."""
        return f"sntl{self.index}"

    @property
    def pods(self) -> str:
        """Gives the range of all pods."""
        return f"10.{201 + self.index}.0.0/16"

    def namespace(self, node: int) -> str:
        """Gives the node's network namespace."""
        return f"sntl-{self.name}-{node}"

    def address(self, node: int) -> str:
        """Gives the node's address; node 0 is the host's end of the bridge."""
        return f"10.200.{self.index}.{10 + node if node else 1}"

    def pods_of(self, node: int) -> str:
        """Gives the range of the node's pods."""
        return f"10.{201 + self.index}.{node}.0/24"

    def enter(self, node: int) -> tuple[str, ...]:
        """Gives the command that runs another in the node's network, leaving /sys as it is."""
        return ("nsenter", f"--net=/run/netns/{self.namespace(node)}")

    def create(self, nodes: int) -> None:
        """Makes the bridge and every node's namespace, wired to each other."""
        _ip("link", "add", self.bridge, "type", "bridge")
        _ip("addr", "add", f"{self.address(0)}/24", "dev", self.bridge)
        _ip("link", "set", self.bridge, "up")
        for node in range(1, nodes + 1):
            self._create_node(node)
        for node in range(1, nodes + 1):
            for other in set(range(1, nodes + 1)) - {node}:
                _ip("-n", self.namespace(node), "route", "add", self.pods_of(other), "via", self.address(other))
        for node in range(1, nodes + 1):
            # The host reaches pods directly, as a machine in the cluster's network would.
            _ip("route", "add", self.pods_of(node), "via", self.address(node))

    def remove(self) -> None:
        """Removes whatever of it is there."""
        prefix = f"sntl-{self.name}-"
        for namespace in Path("/run/netns").glob(f"{prefix}*") if Path("/run/netns").exists() else ():
            if namespace.name.removeprefix(prefix).isdigit():
                with contextlib.suppress(DevclusterError):
                    _ip("netns", "del", namespace.name)
        with contextlib.suppress(DevclusterError):
            _ip("link", "del", self.bridge)

    def _create_node(self, node: int) -> None:
        namespace, host_end = self.namespace(node), f"sn{self.index}v{node}"
        _ip("netns", "add", namespace)
        _ip("link", "add", host_end, "type", "veth", "peer", "name", "eth0", "netns", namespace)
        _ip("link", "set", host_end, "master", self.bridge, "up")
        _ip("-n", namespace, "addr", "add", f"{self.address(node)}/24", "dev", "eth0")
        _ip("-n", namespace, "link", "set", "lo", "up")
        _ip("-n", namespace, "link", "set", "eth0", "up")
        # Nothing lies behind it; without a default route a Service's address has no route before it is translated.
        _ip("-n", namespace, "route", "add", "default", "via", self.address(0))
        for setting in ("ip_forward=1", "conf.all.route_localnet=1"):
            run([*self.enter(node), "sysctl", "-qw", f"net.ipv4.{setting}"])
        # Traffic between pods of one node crosses its bridge, and Services are translated in iptables.
        with contextlib.suppress(DevclusterError):  # often built into the kernel, and then there is no modprobe
            run(["modprobe", "br_netfilter"])
        run([*self.enter(node), "sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=1"], check=False)


def _ip(*words: str) -> None:
    run(["ip", *words])
