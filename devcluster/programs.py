"""The Go programs, built once from pinned modules and kept by the content of their sources."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.paths import cache, content_key
from devcluster.processes import run_long

KUBERNETES = "v1.34.4"
_HERE = Path(__file__).resolve().parent
_VERSION = "k8s.io/component-base/version"
Say = Callable[[str], None]


def kube(say: Say) -> Path:
    """Gives the one binary with etcd, the control plane, kubelet, kube-proxy, CoreDNS and kubectl."""
    major, minor, _ = KUBERNETES.removeprefix("v").split(".")
    stamp = {"gitVersion": KUBERNETES, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    # Without its version the server calls itself v0.0.0, and clients misjudge its features.
    flags = " ".join(f"-X {_VERSION}.{name}={value}" for name, value in stamp.items())
    return _built("kube", say, flags=flags, what="building Kubernetes from source")


def pause(say: Say) -> Path:
    """Gives the static program that holds a pod's namespaces."""
    return _built("pause", say, flags="", what="building the pause program")


def traefik(say: Say) -> Path:
    """Gives the Gateway API data plane."""
    return _built("traefik", say, flags="", what="building Traefik from source")


def _built(name: str, say: Say, *, flags: str, what: str) -> Path:
    source = _HERE / name
    sources = [source / file for file in ("go.mod", "go.sum", "main.go") if (source / file).exists()]
    binary = cache("bin", content_key(paths=sources, texts=[flags])) / name
    if binary.exists():
        return binary
    if shutil.which("go") is None:
        raise DevclusterError("Go 1.24 or newer is needed to build the local cluster, and `go` is not on PATH")
    say(f"{what} (once; kept in the cache)")
    # Built beside and renamed, so that a killed build leaves nothing that looks whole.
    partial = binary.with_suffix(f".{os.getpid()}")
    command = ["nice", "env", "CGO_ENABLED=0", "go", "build", "-trimpath", f"-ldflags=-s -w {flags}"]
    try:
        run_long([*command, "-o", str(partial), "."], what=what, say=say, cwd=source)
        partial.rename(binary)
    finally:
        partial.unlink(missing_ok=True)
    return binary
