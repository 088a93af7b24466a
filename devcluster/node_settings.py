"""What a node's containerd, kubelet and kube-proxy are told, and the script that starts them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from devcluster.addons import DNS_ADDRESS
from devcluster.pauseimage import NAME as PAUSE

MOUNT_POINTS = ("/var/lib/kubelet", "/var/lib/cni", "/var/log/containers")
"""Folders over which every node has its own; on the machine itself they stay empty."""

# kubelet sets these for the whole machine; it gets files of its own instead.
_KERNEL = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """Everything that the files of one node are made of."""

    name: str
    folder: Path
    cluster: Path
    logs: Path
    kube: Path
    socket: Path
    cgroup: str
    address: str
    pods: str
    all_pods: str
    snapshotter: str

    def files(self) -> Mapping[str, str]:
        """Gives each file's text by its path in the node's folder."""
        return {
            "cni/10-pods.conflist": json.dumps(self._cni()),
            "containerd.toml": self._containerd(),
            "kubelet.yaml": yaml.safe_dump(self._kubelet()),
            "proxy.yaml": yaml.safe_dump(self._proxy()),
            "start.sh": self._script(),
        }

    def _script(self) -> str:
        node, logs, kube = (shlex.quote(str(path)) for path in (self.folder, self.logs, self.kube))
        own = "\n".join(
            f"mkdir -p {point} {node}/own{point}; mount --bind {node}/own{point} {point}" for point in MOUNT_POINTS
        )
        return f"""#!/bin/bash
set -eu
# The copies of other nodes' namespaces would keep those alive. /run holds sockets and namespaces of pods.
umount --recursive --lazy /run/netns 2> /dev/null || true
mount -t tmpfs tmpfs /run
mkdir /run/netns
{own}
mount --make-rshared /var/lib/kubelet
for setting in {" ".join(_KERNEL)}; do
  test -f /proc/sys/$setting || continue
  mkdir -p {node}/sysctl/$(dirname $setting)
  cat /proc/sys/$setting > {node}/sysctl/$setting
  mount --bind {node}/sysctl/$setting /proc/sys/$setting
done
containerd -c {node}/containerd.toml > {logs}/{self.name}-containerd.log 2>&1 &
for _ in $(seq 300); do ctr -a {self.socket} version > /dev/null 2>&1 && break; sleep 0.1; done
ctr -a {self.socket} -n k8s.io images import {node}/pause.tar > /dev/null
until test -e {node}/join; do sleep 0.05; done
{kube} proxy --config={node}/proxy.yaml > {logs}/{self.name}-proxy.log 2>&1 &
{kube} kubelet --kubeconfig={shlex.quote(str(self.cluster))}/{self.name}.conf --config={node}/kubelet.yaml \\
  --hostname-override={self.name} --node-ip={self.address} > {logs}/{self.name}-kubelet.log 2>&1 &
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
[plugins."io.containerd.internal.v1.opt"]
  path = "{self.folder}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "{self.snapshotter}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{self.folder}/cni"
"""

    def _cni(self) -> dict[str, object]:
        ipam = {"type": "host-local", "dataDir": f"{self.folder}/cni-cache", "ranges": [[{"subnet": self.pods}]]}
        bridge = {
            "type": "bridge",
            "bridge": "cni0",
            "isGateway": True,
            "ipMasq": False,  # every pod is reached and seen by its own address
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
            "clusterDNS": [DNS_ADDRESS],
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
            "volumePluginDir": f"{self.folder}/volume-plugins",
        }

    def _proxy(self) -> dict[str, object]:
        return {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "clientConnection": {"kubeconfig": f"{self.cluster}/admin.conf"},
            "clusterCIDR": self.all_pods,
            "conntrack": {"maxPerCore": 0},
            "healthzBindAddress": "127.0.0.1:10256",
            "hostnameOverride": self.name,
            "iptables": {"minSyncPeriod": "200ms"},
            "metricsBindAddress": "127.0.0.1:10249",
            "mode": "iptables",
        }
