"""A node: containerd, kubelet and kube-proxy in a network, mount and process namespace of their own.

The process namespace is what makes the end of a node certain: when its first process dies, the kernel kills all of
them, pods included, and with the mount namespace every mount is gone.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

from devcluster import cgroups, pauseimage
from devcluster.errors import DevclusterError
from devcluster.network import Network
from devcluster.node_settings import NodeSettings
from devcluster.paths import is_overlay
from devcluster.processes import Processes, run

_START = 60.0
_NAMESPACES = ("unshare", "--mount", "--propagation=private", "--pid", "--fork", "--mount-proc", "--kill-child")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node of a cluster; `number` counts from 1."""

    number: int
    kube: Path
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

    def start(self, pause: Path) -> None:
        """Writes the settings and starts the node's runtime."""
        cgroups.make(self._cgroup)
        pauseimage.write(pause, self._made(self.folder / "pause.tar"))
        for name, text in self._settings().files().items():
            self._made(self.folder / name).write_text(text)
        script = ("/bin/bash", str(self.folder / "start.sh"))
        self.processes.start(self.name, [*self.network.enter(self.number), *_NAMESPACES, *script])

    def join(self) -> None:
        """Lets kubelet and kube-proxy start, now that the API server answers; returns when images can be brought."""
        (self.folder / "join").touch()
        deadline = time.monotonic() + _START
        while time.monotonic() < deadline:
            self.processes.require(self.name)
            with contextlib.suppress(DevclusterError):
                run(["ctr", "--address", str(self._socket), "version"], timeout=5)
                return
            time.sleep(0.1)
        raise DevclusterError(f"containerd of {self.name} did not answer: {self.processes.log(self.name)}")

    def load(self, archive: Path, *, image: str) -> None:
        """Brings an image archive into the node unless it was the last one of this image."""
        loaded = self.folder / "images" / image.replace("/", "_")
        if loaded.exists() and loaded.read_text() == archive.name and image in self.images():
            return
        run([*self._ctr(), "images", "import", archive], timeout=300)
        self._made(loaded).write_text(archive.name)

    def images(self) -> set[str]:
        """Gives the names of the images that the node has."""
        return set(run([*self._ctr(), "images", "ls", "-q"]).split())

    def stop(self) -> None:
        """Kills everything of the node at once, and removes its cgroups."""
        self.processes.stop(self.name, grace=0)
        cgroups.remove(self._cgroup)

    @property
    def _socket(self) -> Path:
        return self.folder / "containerd.sock"

    @property
    def _cgroup(self) -> str:
        return self.network.namespace(self.number)

    def _ctr(self) -> list[str]:
        return ["ctr", "--address", str(self._socket), "--namespace", "k8s.io"]

    def _settings(self) -> NodeSettings:
        return NodeSettings(
            name=self.name,
            folder=self.folder,
            cluster=self.cluster,
            logs=self.processes.logs,
            kube=self.kube,
            socket=self._socket,
            cgroup=self._cgroup,
            address=self.network.address(self.number),
            pods=self.network.pods_of(self.number),
            all_pods=self.network.pods,
            # An overlay cannot lie on another.
            snapshotter="native" if is_overlay(self.cluster) else "overlayfs",
        )

    def _made(self, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path
