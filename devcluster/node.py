"""A node: containerd, kubelet and kube-proxy in a network, mount and process namespace of their own.

The process namespace is what makes the end of a node certain: when its first process dies, the kernel kills all of
them, pods included, and with the mount namespace every mount is gone.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from devcluster.errors import DevclusterError
from devcluster.network import Network
from devcluster.processes import Processes, run

_CGROUPS = Path("/sys/fs/cgroup")
_START = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node of a cluster; `number` counts from 1."""

    number: int
    kube: Path
    pause: Path
    cluster: Path
    network: Network
    processes: Processes

    @property
    def name(self) -> str:
        """Gives the node's name in the cluster."""
        return f"node-{self.number}"

    @property
    def folder(self) -> Path:
        """Gives the folder of its state."""
        return self.cluster / self.name

    @property
    def socket(self) -> Path:
        """Gives containerd's socket."""
        return self.folder / "containerd.sock"

    @property
    def cgroup(self) -> str:
        """Gives the cgroup that all of its pods are below, apart from other kubelets'."""
        return self.network.namespace(self.number)

    def start(self) -> None:
        """Writes the settings and starts the node; returns when containerd answers."""
        for folder in ("kubelet", "containerd", "run", "cni", "pods", "logs", "cni-cache"):
            (self.folder / folder).mkdir(parents=True, exist_ok=True)
        self._make_cgroups()
        (self.folder / "cni" / "10-pods.conflist").write_text(json.dumps(self._cni()))
        (self.folder / "containerd.toml").write_text(self._containerd())
        (self.folder / "kubelet.yaml").write_text(yaml.safe_dump(self._kubelet()))
        (self.folder / "proxy.yaml").write_text(yaml.safe_dump(self._proxy()))
        script = self.folder / "start.sh"
        script.write_text(self._script())
        namespaces = ["unshare", "--mount", "--propagation=private", "--pid", "--fork", "--mount-proc", "--kill-child"]
        self.processes.start(self.name, [*self.network.enter(self.number), *namespaces, "/bin/bash", script])
        self._await_containerd()

    def load(self, archive: Path) -> None:
        """Brings an image archive into the node."""
        run([*self._ctr(), "images", "import", archive], timeout=300)

    def images(self) -> set[str]:
        """Gives the names of the images that the node has."""
        return set(run([*self._ctr(), "images", "ls", "-q"]).split())

    def stop(self) -> None:
        """Kills everything of the node at once, and removes its cgroups."""
        self.processes.stop(self.name, grace=0)
        self._remove_cgroups()

    def _ctr(self) -> list[str]:
        return ["ctr", "--address", str(self.socket), "--namespace", "k8s.io"]

    def _await_containerd(self) -> None:
        deadline = time.monotonic() + _START
        while time.monotonic() < deadline:
            self.processes.require(self.name)
            with contextlib.suppress(DevclusterError):
                run(["ctr", "--address", str(self.socket), "version"], timeout=5)
                return
            time.sleep(0.1)
        raise DevclusterError(f"containerd of {self.name} did not answer: {self.processes.log(self.name)}")

    def _script(self) -> str:
        # The folders of /var are the node's own, so that each kubelet has its own plugin sockets.
        node, logs = shlex.quote(str(self.folder)), shlex.quote(str(self.processes.logs))
        kube, name = shlex.quote(str(self.kube)), self.name
        address = self.network.address(self.number)
        return f"""#!/bin/bash
set -eu
mkdir -p /var/lib/kubelet /var/log/containers /var/log/pods
mount --bind {node}/kubelet /var/lib/kubelet
mount --make-rshared /var/lib/kubelet
mount --bind {node}/logs /var/log/containers
containerd -c {node}/containerd.toml > {logs}/{name}-containerd.log 2>&1 &
for _ in $(seq 300); do ctr -a {node}/containerd.sock version > /dev/null 2>&1 && break; sleep 0.1; done
ctr -a {node}/containerd.sock -n k8s.io images import {node}/pause.tar > /dev/null
{kube} proxy --config={node}/proxy.yaml > {logs}/{name}-proxy.log 2>&1 &
{kube} kubelet --kubeconfig={shlex.quote(str(self.cluster))}/{name}.conf --config={node}/kubelet.yaml \\
  --hostname-override={name} --node-ip={address} > {logs}/{name}-kubelet.log 2>&1 &
# The first of them to end takes the node down, so that its end is noticed.
wait -n
"""

    def _containerd(self) -> str:
        # restrict_oom_score_adj: without CAP_SYS_RESOURCE every sandbox would fail to start.
        return f"""version = 2
root = "{self.folder}/containerd"
state = "{self.folder}/run"
[grpc]
  address = "{self.socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{self.folder}/cni"
"""

    def _cni(self) -> dict[str, object]:
        ranges = [[{"subnet": self.network.pods_of(self.number)}]]
        ipam = {"type": "host-local", "dataDir": f"{self.folder}/cni-cache", "ranges": ranges}
        bridge = {
            "type": "bridge",
            "bridge": "cni0",
            "isGateway": True,
            "ipMasq": True,
            "hairpinMode": True,
            "ipam": {**ipam, "routes": [{"dst": "0.0.0.0/0"}]},
        }
        ports = {"type": "portmap", "capabilities": {"portMappings": True}}
        return {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge, ports]}

    def _kubelet(self) -> dict[str, object]:
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": f"{self.cluster}/pki/ca.crt"},
            },
            "authorization": {"mode": "Webhook"},
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{self.cgroup}",
            "clusterDNS": ["10.96.0.10"],
            "clusterDomain": "cluster.local",
            "containerRuntimeEndpoint": f"unix://{self.socket}",
            # Crash loops are retried within seconds, so that a test sees a cause gone.
            "crashLoopBackOff": {"maxContainerRestartPeriod": "10s"},
            "evictionHard": {"nodefs.available": "0%", "imagefs.available": "0%", "memory.available": "0%"},
            "failCgroupV1": False,
            "failSwapOn": False,
            "featureGates": {"KubeletCrashLoopBackOffMax": True},
            "imageGCHighThresholdPercent": 100,
            "maxPods": 110,
            "nodeStatusUpdateFrequency": "5s",
            "podLogsDir": f"{self.folder}/pods",
            "resolvConf": "/dev/null",
            "serializeImagePulls": False,
            "tlsCertFile": f"{self.cluster}/pki/{self.name}.crt",
            "tlsPrivateKeyFile": f"{self.cluster}/pki/{self.name}.key",
        }

    def _proxy(self) -> dict[str, object]:
        return {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "clientConnection": {"kubeconfig": f"{self.cluster}/admin.conf"},
            "clusterCIDR": self.network.pods,
            "conntrack": {"maxPerCore": 0},
            "healthzBindAddress": "127.0.0.1:10256",
            "hostnameOverride": self.name,
            "iptables": {"minSyncPeriod": "200ms"},
            "metricsBindAddress": "127.0.0.1:10249",
            "mode": "iptables",
        }

    def _make_cgroups(self) -> None:
        for hierarchy in _hierarchies():
            folder = hierarchy / self.cgroup
            folder.mkdir(exist_ok=True)
            for file in ("cpuset.cpus", "cpuset.mems"):
                if hierarchy.name == "cpuset" and not (folder / file).read_text().strip():
                    (folder / file).write_text((hierarchy / file).read_text())

    def _remove_cgroups(self) -> None:
        for hierarchy in _hierarchies():
            root = hierarchy / self.cgroup
            deadline = time.monotonic() + 10
            while root.exists() and time.monotonic() < deadline:
                for folder in [*sorted((path for path in root.rglob("*") if path.is_dir()), reverse=True), root]:
                    with contextlib.suppress(OSError):  # busy until its last process is reaped
                        folder.rmdir()
                if root.exists():
                    time.sleep(0.05)


def _hierarchies() -> Iterator[Path]:
    """Gives every cgroup hierarchy: one for version 2, one a controller for version 1."""
    if (_CGROUPS / "cgroup.controllers").exists():
        yield _CGROUPS
        return
    for name in ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "systemd"):
        if (_CGROUPS / name).is_dir():
            yield _CGROUPS / name
