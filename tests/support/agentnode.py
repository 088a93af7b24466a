"""The agent as it is shipped, a process of its own on the fake NVML, with a node around it that can be changed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from prometheus_client.parser import text_string_to_metric_families

from sentinel_agent.pods import podresources_pb2 as pb
from sentinel_faultkit.faultfile import ENVIRONMENT, FaultFile

SECONDS = 30.0
_NOT_YET = (AssertionError, LookupError, ValueError)
"""What a look at something that is not there yet raises."""
_PORT = re.compile(r"serving on port (\d+)")
_UID = "00000000-0000-4000-8000-{:012d}"


class Kubelet:
    """The kubelet's pod-resources socket: says what the test last told it."""

    def __init__(self, socket: Path) -> None:
        self.devices: dict[tuple[str, str, str], list[str]] = {}
        """By namespace, pod and container."""
        self._server = grpc.server(futures.ThreadPoolExecutor(2))
        handler = grpc.unary_unary_rpc_method_handler(
            self._list,
            request_deserializer=pb.ListPodResourcesRequest.FromString,
            response_serializer=pb.ListPodResourcesResponse.SerializeToString,
        )
        service = grpc.method_handlers_generic_handler("v1.PodResourcesLister", {"List": handler})
        self._server.add_generic_rpc_handlers([service])
        self._server.add_insecure_port(f"unix://{socket}")
        self._server.start()

    def _list(self, _request: Any, _context: Any) -> pb.ListPodResourcesResponse:
        def of(namespace: str, pod: str, container: str, ids: list[str]) -> pb.PodResources:
            devices = pb.ContainerDevices(resource_name="nvidia.com/gpu", device_ids=ids)
            resources = pb.ContainerResources(name=container, devices=[devices])
            return pb.PodResources(name=pod, namespace=namespace, containers=[resources])

        return pb.ListPodResourcesResponse(pod_resources=[of(*who, ids) for who, ids in self.devices.items()])

    def stop(self) -> None:
        self._server.stop(None).wait()


@dataclass
class Node:
    """A node: /proc, cgroups and the folder of logs in a temporary folder, GPUs by a fault file, a kubelet's socket."""

    folder: Path
    gpus: FaultFile
    kubelet: Kubelet
    pods: int = field(default=0)

    @classmethod
    def make(cls, folder: Path, *, gpus: int) -> Node:
        """Gives a node with idle GPUs."""
        file = FaultFile(folder / "gpus.ini")
        file.create(gpus=gpus)
        _make_proc(folder / "proc")
        for name in ("cgroup", "containers", "sys"):
            (folder / name).mkdir()
        (folder / "cgroup" / "cgroup.controllers").write_text("cpu memory\n")
        return cls(folder, file, Kubelet(folder / "kubelet.sock"))

    def add_pod(self, namespace: str, pod: str, container: str, *, pid: int = 0) -> str:
        """Lets a pod run there, with one process; gives its uid."""
        self.pods += 1
        uid, container_id = _UID.format(self.pods), f"{self.pods:064x}"
        link = self.folder / "containers" / f"{pod}_{namespace}_{container}-{container_id}.log"
        link.symlink_to(f"/var/log/pods/{namespace}_{pod}_{uid}/{container}/0.log")  # which is not there to be read
        slice_ = f"kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{uid.replace('-', '_')}.slice"
        usage = self.folder / "cgroup" / slice_
        usage.mkdir(parents=True)
        (usage / "cpu.stat").write_text("usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\n")
        (usage / "memory.current").write_text("1048576\n")
        if pid:
            (self.folder / "proc" / str(pid)).mkdir()
            path = f"/../../{slice_.partition('/')[2]}/cri-containerd-{container_id}.scope"
            (self.folder / "proc" / str(pid) / "cgroup").write_text(f"0::{path}\n")
        return uid


def _make_proc(proc: Path) -> None:
    (proc / "1" / "net").mkdir(parents=True)
    (proc / "self").mkdir()
    (proc / "sys" / "kernel" / "random").mkdir(parents=True)
    (proc / "sys" / "kernel" / "random" / "boot_id").write_text("first\n")
    (proc / "stat").write_text("cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 100 0 50 800 50 0 0 0 0 0\nintr 1\n")
    (proc / "meminfo").write_text("MemTotal: 1024 kB\nMemFree: 100 kB\nMemAvailable: 256 kB\n")
    (proc / "uptime").write_text("100.0 50.0\n")
    (proc / "self" / "mounts").write_text("/dev/test / ext4 rw 0 0\n")
    numbers = "1000 1 0 0 0 0 0 0 2000 1 0 0 0 0 0 0"
    (proc / "1" / "net" / "dev").write_text(f"Inter-|   Receive\n face |bytes\n  eth0: {numbers}\n")


Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Running:
    """An agent that runs."""

    def __init__(self, node: Node, environment: dict[str, str], *, folder: Path) -> None:
        self.log = (node.folder / "agent.log").open("a+")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sentinel_agent"],
            env={**_environment(node), "LD_LIBRARY_PATH": str(folder), **environment},
            stdout=subprocess.DEVNULL,
            stderr=self.log,
        )
        self._began = self.log.seek(0, os.SEEK_END)
        self.port = int(self.until(lambda: _PORT.search(self.said()))[1])

    @property
    def pid(self) -> int:
        return self._process.pid

    def said(self) -> str:
        """Gives what it has logged."""
        self.log.seek(self._began)
        return self.log.read()

    def get(self, path: str) -> tuple[int, str]:
        """Gives the status and the text of an endpoint."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metrics(self) -> Samples:
        """Gives all samples."""
        code, text = self.get("/metrics")
        assert code == 200
        # The parser gives every counter a name that ends in _total, which dcgm-exporter's do not.
        families = text_string_to_metric_families(text.replace(" counter\n", " untyped\n"))
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
        }

    def counters(self) -> Samples:
        """Gives the samples of counters. The index of a GPU is left out: it moves up when another one vanishes."""
        names = {line.split()[2] for line in self.get("/metrics")[1].splitlines() if line.endswith(" counter")}
        return {
            (name, frozenset(label for label in labels if label[0] not in ("gpu", "device"))): value
            for (name, labels), value in self.metrics().items()
            if name in names
        }

    def values(self, name: str, **labels: str) -> list[float]:
        """Gives the values of a metric's samples that have these labels."""
        wanted = set(labels.items())
        return [value for (each, given), value in self.metrics().items() if each == name and wanted <= given]

    def value(self, name: str, **labels: str) -> float | None:
        """Gives the value of the one sample that has these labels."""
        found = self.values(name, **labels)
        assert len(found) <= 1, f"{name}{labels}: {len(found)}"
        return found[0] if found else None

    def until(self, look: Callable[[], Any]) -> Any:
        """Waits until something is so."""
        deadline, last = time.monotonic() + SECONDS, None
        while time.monotonic() < deadline:
            assert self._process.poll() is None, f"the agent has ended: {self.said()}"
            try:
                last = look()
            except _NOT_YET as error:
                last = error
            if last and not isinstance(last, _NOT_YET):
                return last
            time.sleep(0.05)
        raise AssertionError(f"not within {SECONDS:g} s: {last!r}; the agent said: {self.said()}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ends it and gives its exit status."""
        if self._process.poll() is None:
            self._process.send_signal(number)
        code = self._process.wait(SECONDS)
        self.log.close()
        return code


def _environment(node: Node) -> dict[str, str]:
    own = {
        "node": "node-1", "listen": "127.0.0.1", "port": "0", "interval": "0.1", "slow_interval": "0.3",
        "pods_interval": "0.3", "hang_after": "1", "proc": str(node.folder / "proc"), "report": "false",
        "cgroups": str(node.folder / "cgroup"), "sys": str(node.folder / "sys"),
        "container_logs": str(node.folder / "containers"),
        "kubelet_socket": str(node.folder / "kubelet.sock"), "state": str(node.folder / "state" / "state.json"),
    }  # fmt: skip
    settings = {f"SENTINEL_{name.upper()}": value for name, value in own.items()}
    return {**os.environ, **settings, ENVIRONMENT: str(node.gpus.path)}
