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

from devcluster import life
from devcluster.cluster import Cluster
from devcluster.errors import DevclusterError
from devcluster.paths import state_root
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
        self.say(f"{image}: its nodes must have it or be able to pull it (the archive is {archive})")

    def down(self) -> None:
        """Leaves the cluster as it is."""


@dataclass(frozen=True, slots=True)
class Kind(External):
    """A cluster made by kind on Docker."""

    name: str

    @override
    def load(self, archive: Path, *, image: str) -> None:
        """Loads the archive into kind's nodes."""
        self.say(f"loading {image}")
        run([_program("kind"), "load", "image-archive", str(archive), "--name", self.name], timeout=300)

    @override
    def down(self) -> None:
        """Deletes the cluster."""
        run([_program("kind"), "delete", "cluster", "--name", self.name], timeout=300)
        self.kubeconfig.unlink(missing_ok=True)


def chosen(provider: str) -> str:
    """Gives the provider that `auto` stands for: kind where Docker answers, else local."""
    if provider != "auto":
        return provider
    return "kind" if shutil.which("kind") and _docker_answers() else "local"


def open_cluster(
    provider: str, *, name: str, nodes: int, say: Say, gateway: bool = False, audit: bool = False
) -> AnyCluster:
    """Gives the cluster of this name, brought up when needed."""
    provider = chosen(provider)
    if provider == "local":
        return Cluster.up(name=name, nodes=nodes, gateway=gateway, audit=audit, say=say)
    if gateway or audit:
        raise DevclusterError(f"a gateway or an audit log comes with the local provider only, not with {provider}")
    return _kind(name=name, nodes=nodes, say=say) if provider == "kind" else _existing(say)


def find(name: str, say: Say) -> AnyCluster | None:
    """Gives the cluster of this name that the local provider or kind has made."""
    local = Cluster.find(name)
    if local is not None:
        return local
    return _opened_kind(name, say) if shutil.which("kind") and kind_name(name) in _kind_clusters() else None


def remove(name: str) -> None:
    """Removes what either provider has made under this name; nothing there is no error."""
    life.remove(name)
    if shutil.which("kind") and kind_name(name) in _kind_clusters():
        _opened_kind(name, lambda _: None).down()


def kind_name(name: str) -> str:
    """Gives kind's name of a cluster, apart from what else a person has in kind."""
    return f"sentinel-{name}"


def kind_config(nodes: int) -> str:
    """Gives kind's configuration of a cluster with so many nodes."""
    roles = [{"role": "control-plane"}, *({"role": "worker"} for _ in range(nodes - 1))]
    return yaml.safe_dump({"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", "nodes": roles})


def _kind(*, name: str, nodes: int, say: Say) -> Kind:
    if kind_name(name) not in _kind_clusters():
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(kind_config(nodes))
            file.flush()
            create = [_program("kind"), "create", "cluster", "--name", kind_name(name), "--wait=120s"]
            own = [f"--config={file.name}", f"--kubeconfig={_kind_kubeconfig(name)}"]
            run_long([*create, *own], what="kind create cluster", say=say, timeout=900)
    return _opened_kind(name, say)


def _opened_kind(name: str, say: Say) -> Kind:
    kubeconfig = _kind_kubeconfig(name)
    kubeconfig.touch(mode=0o600)
    kubeconfig.write_text(run([_program("kind"), "get", "kubeconfig", "--name", kind_name(name)]))
    return Kind(kubeconfig, [_program("kubectl"), f"--kubeconfig={kubeconfig}"], say, kind_name(name))


def _kind_kubeconfig(name: str) -> Path:
    return state_root() / f"{kind_name(name)}.conf"


def _kind_clusters() -> list[str]:
    return run([_program("kind"), "get", "clusters"]).split()


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
