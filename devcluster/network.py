"""One bridge a cluster, one network namespace a node, all in addresses derived from the cluster's index.

The bridge is what claims an index on this machine; its alias is the folder of the cluster that it belongs to, so that
nothing of another's is ever removed.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devcluster.errors import DevclusterError
from devcluster.processes import run

INDEXES = range(50)
_NAMESPACES = Path("/run/netns")


@dataclass(frozen=True, slots=True)
class Network:
    """Names and addresses of one cluster."""

    name: str
    index: int
    folder: Path

    @property
    def bridge(self) -> str:
        """Gives the bridge on the host."""
        return f"sntl{self.index}"

    @property
    def nodes(self) -> str:
        """Gives the range of all nodes."""
        return f"10.200.{self.index}.0/24"

    @property
    def pods(self) -> str:
        """Gives the range of all pods."""
        return f"10.{201 + self.index}.0.0/16"

    def namespace(self, node: int) -> str:
        """Gives the node's network namespace."""
        return f"{self.bridge}-{self.name}-{node}"

    def address(self, node: int) -> str:
        """Gives the node's address; node 0 is the host's end of the bridge."""
        return f"10.200.{self.index}.{10 + node if node else 1}"

    def pods_of(self, node: int) -> str:
        """Gives the range of the node's pods."""
        return f"10.{201 + self.index}.{node}.0/24"

    def enter(self, node: int) -> tuple[str, ...]:
        """Gives the command that runs another in the node's network, leaving /sys as it is."""
        return ("nsenter", f"--net={_NAMESPACES / self.namespace(node)}")

    def is_free(self) -> bool:
        """Tells whether nothing on this machine has its bridge or routes its addresses."""
        return self._owner() is None and not self.collides(
            json.loads(run(["ip", "-json", "-4", "route", "show"]) or "[]")
        )

    def collides(self, routes: Iterable[Mapping[str, Any]]) -> bool:
        """Tells whether one of the routes, as iproute2 gives them, goes to its addresses."""
        ours = [ipaddress.ip_network(self.nodes), ipaddress.ip_network(self.pods)]
        routed = [ipaddress.ip_network(route["dst"]) for route in routes if route["dst"] != "default"]
        return any(one.overlaps(other) for one in ours for other in routed)

    def claim(self) -> None:
        """Makes the bridge."""
        _ip("link", "add", self.bridge, "type", "bridge")
        _ip("link", "set", self.bridge, "alias", str(self.folder))
        _ip("addr", "add", f"{self.address(0)}/24", "dev", self.bridge)
        _ip("link", "set", self.bridge, "up")

    def create(self, nodes: int) -> None:
        """Makes every node's namespace, wired to each other over the claimed bridge."""
        with contextlib.suppress(DevclusterError):  # often built into the kernel, and then there is no modprobe
            run(["modprobe", "br_netfilter"])
        numbers = range(1, nodes + 1)
        for node in numbers:
            self._create_node(node)
        for node in numbers:
            for other in set(numbers) - {node}:
                _ip("-n", self.namespace(node), "route", "add", self.pods_of(other), "via", self.address(other))
            # The host reaches pods directly, as a machine in the cluster's network would.
            _ip("route", "add", self.pods_of(node), "via", self.address(node))

    def pids(self, node: int) -> list[str]:
        """Gives the processes in the node's network."""
        name = self.namespace(node)
        return run(["ip", "netns", "pids", name]).split() if (_NAMESPACES / name).exists() else []

    def remove(self) -> None:
        """Removes whatever of it is there; raises DevclusterError when something cannot be removed."""
        if self._owner() not in (str(self.folder), ""):  # nobody's: made, and killed before it had its alias
            return
        for namespace in _NAMESPACES.glob(f"{self.bridge}-{self.name}-*"):
            _ip("netns", "del", namespace.name)
        for link in _links():
            # A namespace that still ends holds on to its veth; the name is needed at once.
            if link.startswith(self._host_end("")):
                with contextlib.suppress(DevclusterError):
                    _ip("link", "del", link)
        _ip("link", "del", self.bridge)

    def _host_end(self, node: int | str) -> str:
        return f"sn{self.index}v{node}"

    def _owner(self) -> str | None:
        """Gives the alias of the bridge, None where there is no bridge."""
        return _links().get(self.bridge)

    def _create_node(self, node: int) -> None:
        namespace, host_end = self.namespace(node), self._host_end(node)
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
        run([*self.enter(node), "sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=1"], check=False)


def bridges() -> list[str]:
    """Gives the bridges of every cluster on this machine."""
    return [link for link in _links() if link in {f"sntl{index}" for index in INDEXES}]


def _links() -> dict[str, str]:
    """Gives the machine's network interfaces, each with its alias."""
    return {link["ifname"]: link.get("ifalias", "") for link in json.loads(run(["ip", "-json", "link", "show"]))}


def _ip(*words: str) -> None:
    run(["ip", *words])
