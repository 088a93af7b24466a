"""Where a cluster comes from: made here, by kind, or one that exists; all used in the same way."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import yaml
from typing_extensions import override

from devcluster.cluster import Cluster
from devcluster.errors import DevclusterError
from devcluster.processes import run, run_long

NAMES = ("auto", "local", "kind", "kubeconfig")
Say = Callable[[str], None]


class AnyCluster(Protocol):
    """What the demo and the tests need of a cluster."""

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""

    @property
    def kubectl_command(self) -> list[str]:
        """The words that run kubectl against it."""

    def kubectl(self, *words: str, text: str | None = None, timeout: float = 120.0) -> str:
        """Runs kubectl and gives what it printed; raises DevclusterError."""

    def apply(self, objects: Sequence[object]) -> None:
        """Applies objects server-side."""

    def load(self, archive: Path, *, image: str) -> None:
        """Brings an image archive into every node."""

    def down(self) -> None:
        """Removes what was made."""


@dataclass(frozen=True, slots=True)
class External:
    """An existing cluster. Images have to be where its nodes can pull them; nothing is removed."""

    kubeconfig: Path
    kubectl_command: list[str]
    say: Say

    def kubectl(self, *words: str, text: str | None = None, timeout: float = 120.0) -> str:
        """Runs kubectl and gives what it printed; raises DevclusterError."""
        return run([*self.kubectl_command, *words], text=text, timeout=timeout)

    def apply(self, objects: Sequence[object]) -> None:
        """Applies objects server-side."""
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", text=yaml.safe_dump_all(objects))

    def load(self, archive: Path, *, image: str) -> None:
        """Says what is expected of an existing cluster."""
        self.say(f"{image}: its nodes must be able to pull it (the archive is {archive})")

    def down(self) -> None:
        """Leaves the cluster as it is."""


@dataclass(frozen=True, slots=True)
class Kind(External):
    """A cluster made by kind on Docker."""

    name: str = "sentinel"

    @override
    def load(self, archive: Path, *, image: str) -> None:
        """Loads the archive into kind's nodes."""
        self.say(f"loading {image}")
        run(["kind", "load", "image-archive", str(archive), "--name", self.name], timeout=300)

    @override
    def down(self) -> None:
        """Deletes the cluster."""
        run(["kind", "delete", "cluster", "--name", self.name], timeout=300)


def open_cluster(provider: str, *, name: str, nodes: int, say: Say) -> AnyCluster:
    """Gives the cluster of this name, brought up when needed. `auto` takes kind where Docker answers, else local."""
    if provider == "auto":
        provider = "kind" if shutil.which("kind") and _docker_answers() else "local"
    if provider == "local":
        return Cluster.up(name=name, nodes=nodes, say=say)
    if provider == "kind":
        return _kind(name=name, nodes=nodes, say=say)
    return _existing(say)


def _kind(*, name: str, nodes: int, say: Say) -> Kind:
    kind, kubectl = _program("kind"), _program("kubectl")
    kubeconfig = Path.home() / ".kube" / f"kind-{name}"
    if name not in run([kind, "get", "clusters"]).split():
        roles = [{"role": "control-plane"}, *({"role": "worker"} for _ in range(nodes - 1))]
        wanted = {"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", "nodes": roles}
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            yaml.safe_dump(wanted, file)
            file.flush()
            create = [kind, "create", "cluster", "--name", name, "--wait=120s", f"--config={file.name}"]
            run_long([*create, f"--kubeconfig={kubeconfig}"], what="kind create cluster", say=say, timeout=900)
    return Kind(kubeconfig, [kubectl, f"--kubeconfig={kubeconfig}"], say, name)


def _existing(say: Say) -> External:
    kubeconfig = Path(os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config")
    if not kubeconfig.exists():
        raise DevclusterError(f"there is no kubeconfig at {kubeconfig}; set KUBECONFIG")
    cluster = External(kubeconfig, [_program("kubectl"), f"--kubeconfig={kubeconfig}"], say)
    cluster.kubectl("version", timeout=30)
    return cluster


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise DevclusterError(f"{name} is not on PATH")
    return found


def _docker_answers() -> bool:
    with contextlib.suppress(DevclusterError):
        run(["docker", "info"], timeout=10)
        return True
    return False
