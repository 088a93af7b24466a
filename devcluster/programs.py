"""The Go programs, built once from pinned modules and kept by the content of their sources."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.locks import locked
from devcluster.paths import cache, content_key
from devcluster.processes import run, run_long

KUBERNETES = "v1.34.4"
_HERE = Path(__file__).resolve().parent
_GO = (1, 24)
_TRAEFIK = "github.com/traefik/traefik/v3"
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
    flags = f"-X {_TRAEFIK}/pkg/version.Version=v3.6.0"
    return _built("traefik", say, flags=flags, what="building Traefik from source", package=f"{_TRAEFIK}/cmd/traefik")


def gateway_definitions() -> Path:
    """Gives the folder with Gateway API's standard definitions, of the version that the data plane knows."""
    module = run(["go", "-C", _HERE / "traefik", "mod", "download", "-json", "sigs.k8s.io/gateway-api"], timeout=300)
    return Path(json.loads(module)["Dir"]) / "config" / "crd" / "standard"


def _built(name: str, say: Say, *, flags: str, what: str, package: str = ".") -> Path:
    source = _HERE / name
    sources = [source / file for file in ("go.mod", "go.sum", "main.go") if (source / file).exists()]
    folder = cache("bin", content_key(paths=sources, texts=[flags]))
    binary = folder / name
    if binary.exists():
        return binary
    _require_go()
    with locked(folder / ".lock"):
        if binary.exists():  # built by another meanwhile
            return binary
        say(f"{what} (once; kept in the cache)")
        partial = folder / f"{name}.partial"  # renamed when whole: a killed build leaves nothing that looks so
        command = ["nice", "env", "CGO_ENABLED=0", "go", "build", "-trimpath", f"-ldflags=-s -w {flags}"]
        run_long([*command, "-o", str(partial), package], what=what, say=say, cwd=source)
        partial.rename(binary)
    return binary


def _require_go() -> None:
    found = re.search(r"go(\d+)\.(\d+)", run(["go", "version"])) if shutil.which("go") else None
    if found is None:
        raise DevclusterError("Go 1.24 or newer is needed to build the local cluster, and `go` is not on PATH")
    if (int(found[1]), int(found[2])) < _GO:
        raise DevclusterError(f"Go 1.24 or newer is needed to build the local cluster; `go` is {found[0]}")
