"""Pods and processes by their cgroups, names by the kubelet's links, as each runtime and driver lays them out."""

from __future__ import annotations

from pathlib import Path

import pytest

from sentinel_agent.host.cgroups import Owner, PodUsage, owner, pods
from sentinel_agent.pods.allocation import Container, plain
from sentinel_agent.pods.names import Names

UID = "63167afb-cdda-4869-b2eb-08e609b8ce7d"
MIRROR = "0123456789abcdef0123456789abcdef"
ID = "c7" * 32
SLICE = f"kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{UID.replace('-', '_')}.slice"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"0::/{SLICE}/cri-containerd-{ID}.scope", Owner(UID, ID)),
        (f"0::/../../{SLICE.partition('/')[2]}/crio-{ID}.scope", Owner(UID, ID)),
        (f"0::/../kubepods-pod{UID.replace('-', '_')}.slice/docker-{ID}.scope", Owner(UID, ID)),
        (f"9:name=systemd:/node/kubepods/besteffort/pod{UID}/{ID}\n0::/", Owner(UID, ID)),
        (f"0::/kubepods/burstable/pod{MIRROR}/{ID}", Owner(MIRROR, ID)),
        (f"0::/kubepods/burstable/pod{UID}", Owner(UID, "")),
        ("0::/system.slice/sshd.service", None),
        ("0::/", None),
    ],
    ids=str,
)
def test_whose_a_process_is(tmp_path: Path, line: str, expected: Owner | None):
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "cgroup").write_text(f"{line}\n")
    assert owner(tmp_path, 7) == expected
    assert owner(tmp_path, 8) is None


def self_in(proc: Path, path: str) -> Path:
    (proc / "self").mkdir(parents=True)
    (proc / "self" / "cgroup").write_text(f"0::{path}\n")
    return proc


def unified(root: Path, folder: str, *, microseconds: int, memory: int) -> None:
    (root / folder).mkdir(parents=True)
    (root / "cgroup.controllers").touch()
    (root / folder / "cpu.stat").write_text(f"usage_usec {microseconds}\nuser_usec 0\n")
    (root / folder / "memory.current").write_text(f"{memory}\n")


@pytest.mark.parametrize(
    ("folder", "own"),
    [
        (SLICE, "/"),
        (f"kubepods/burstable/pod{UID}", "/"),
        (f"kubepods/pod{UID}", "/"),
        (f"kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{UID.replace('-', '_')}.slice", "/"),
        (f"node-1/kubepods/besteffort/pod{UID}", f"/node-1/kubepods/burstable/pod{MIRROR}/{ID}"),
    ],
    ids=str,
)
def test_what_pods_use(tmp_path: Path, folder: str, own: str):
    unified(tmp_path / "cgroup", folder, microseconds=1_500_000, memory=4096)
    assert pods(tmp_path / "cgroup", self_in(tmp_path / "proc", own)) == {UID: PodUsage(1.5, 4096)}


def test_what_pods_use_under_version_one(tmp_path: Path):
    root, folder = tmp_path / "cgroup", f"kubepods/burstable/pod{UID}"
    for controller, name, value in (
        ("cpuacct", "cpuacct.usage", 2_000_000_000),
        ("memory", "memory.usage_in_bytes", 8192),
    ):
        (root / controller / folder).mkdir(parents=True)
        (root / controller / folder / name).write_text(f"{value}\n")
    assert pods(root, self_in(tmp_path / "proc", "/")) == {UID: PodUsage(2.0, 8192)}


def test_names_are_those_of_the_kubelets_links(tmp_path: Path):
    names = Names(tmp_path)
    assert names.of(Owner(UID, ID)) is None
    link = tmp_path / f"topics-0_serving_side-car-{ID}.log"
    link.symlink_to(f"/anywhere/serving_topics-0_{UID}/side-car/0.log")
    (tmp_path / "nonsense.log").touch()
    again = Names(tmp_path)
    assert again.of(Owner(UID, ID)) == Container("serving", "topics-0", "side-car")
    assert again.pod(UID) == ("serving", "topics-0")
    assert again.uid("serving", "topics-0") == UID
    assert again.uid("serving", "topics-1") == ""


def test_shares_of_a_device_are_that_device():
    assert plain("GPU-0::3") == "GPU-0"
    assert plain("MIG-0") == "MIG-0"
