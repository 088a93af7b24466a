"""What a node's programs are told, so that nodes of one machine keep apart and leave nothing on it."""

from __future__ import annotations

import json
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from devcluster.addons import DNS_ADDRESS
from devcluster.node_settings import MOUNT_POINTS, NodeSettings


@pytest.fixture
def files():
    settings = NodeSettings(
        name="node-1",
        folder=Path("/state/demo/node-1"),
        cluster=Path("/state/demo"),
        logs=Path("/state/demo/log"),
        kube=Path("/state/demo/kube"),
        socket=Path("/state/demo/node-1/containerd.sock"),
        cgroup="sntl3-demo-1",
        address="10.200.3.11",
        pods="10.204.1.0/24",
        all_pods="10.204.0.0/16",
        snapshotter="overlayfs",
    )
    return settings.files()


def test_a_crash_loop_is_tried_again_within_seconds(files):
    kubelet = yaml.safe_load(files["kubelet.yaml"])

    assert kubelet["crashLoopBackOff"] == {"maxContainerRestartPeriod": "10s"}
    assert kubelet["featureGates"]["KubeletCrashLoopBackOffMax"]


def test_every_path_of_containerd_is_below_the_node(files):
    containerd = tomllib.loads(files["containerd.toml"])
    cri = containerd["plugins"]["io.containerd.grpc.v1.cri"]
    paths = [
        containerd["root"],
        containerd["state"],
        containerd["grpc"]["address"],
        containerd["plugins"]["io.containerd.internal.v1.opt"]["path"],
        cri["cni"]["conf_dir"],
    ]

    assert all(path.startswith("/state/demo/node-1/") for path in paths)
    assert cri["containerd"]["snapshotter"] == "overlayfs"


def test_pods_have_the_range_and_the_cgroup_of_their_node(files):
    bridge = json.loads(files["cni/10-pods.conflist"])["plugins"][0]
    kubelet = yaml.safe_load(files["kubelet.yaml"])
    proxy = yaml.safe_load(files["proxy.yaml"])

    assert bridge["ipam"]["ranges"] == [[{"subnet": "10.204.1.0/24"}]]
    assert kubelet["cgroupRoot"] == "/sntl3-demo-1"
    assert kubelet["clusterDNS"] == [DNS_ADDRESS]
    assert proxy["clusterCIDR"] == "10.204.0.0/16"


def test_the_script_is_one_and_keeps_the_machines_folders(files, tmp_path: Path):
    script = tmp_path / "start.sh"
    script.write_text(files["start.sh"])

    subprocess.run(["bash", "-n", script], check=True)
    for point in (*MOUNT_POINTS, "/proc/sys/$setting"):
        assert f" {point}\n" in files["start.sh"]
