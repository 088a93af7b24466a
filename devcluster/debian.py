"""The Debian packages that the local cluster's nodes and images need."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.processes import run_long

NODES: Mapping[str, str] = {
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "iptables": "iptables",
    "ip": "iproute2",
    "conntrack": "conntrack",
    "ethtool": "ethtool",
    "socat": "socat",
    "nsenter": "util-linux",
    "mount": "mount",
}
"""Program or file → package."""
IMAGES: Mapping[str, str] = {"buildah": "buildah", "debootstrap": "debootstrap"}


def require(packages: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Installs what is missing (root on Debian), or raises DevclusterError that names it."""
    missing = sorted({package for program, package in packages.items() if not _present(program)})
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise DevclusterError(f"missing programs; on Debian, as root: apt-get install {' '.join(missing)}")
    say(f"installing {' '.join(missing)}")
    apt = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
    install = [*apt, "install", "--yes", "--no-install-recommends", *missing]
    try:
        run_long(install, what="apt-get install", say=say, timeout=900)
    except DevclusterError:  # the list of packages is missing or old
        run_long([*apt, "update"], what="apt-get update", say=say, timeout=300)
        run_long(install, what="apt-get install", say=say, timeout=900)


def _present(program: str) -> bool:
    return Path(program).exists() if program.startswith("/") else shutil.which(program) is not None
