"""What a cluster has on the machine, to be looked for when it should be gone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from devcluster.layout import Layout
from devcluster.processes import Process, run


def processes_of(folder: Path) -> list[Process]:
    """Gives every process that was started with a path below the folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
            started = int((path / "stat").read_text().rsplit(")", 1)[1].split()[19])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if any(f"{folder}/".encode() in word for word in words):
            found.append(Process(int(path.name), started))
    return [process for process in found if process.alive()]


def traces_of(cluster: Layout) -> list[str]:
    """Gives a line for everything that a cluster with nodes has outside its folder."""
    network, mark = cluster.network, f"{cluster.network.bridge}-{cluster.name}-"
    interfaces = json.loads(run(["ip", "-json", "link", "show"]))
    aliases = {each["ifname"]: each.get("ifalias", "") for each in interfaces}
    # Its index may be another cluster's by now.
    passed_on = aliases.get(network.bridge, "") not in ("", str(cluster.folder))
    links = [] if passed_on else list(aliases)
    routes = [] if passed_on else json.loads(run(["ip", "-json", "-4", "route", "show"]))
    mounts = Path("/proc/mounts").read_text().splitlines()
    groups = [group for pattern in (f"{mark}*", f"*/{mark}*") for group in Path("/sys/fs/cgroup").glob(pattern)]
    return [
        *(f"process {process.pid}" for process in processes_of(cluster.folder)),
        *(f"link {link}" for link in links if link == network.bridge or link.startswith(f"sn{network.index}v")),
        *(f"route {route['dst']}" for route in routes if route.get("dev") == network.bridge),
        *(f"namespace {path.name}" for path in Path("/run/netns").glob(f"{mark}*")),
        *(f"mount {mount}" for mount in mounts if f"{cluster.folder}/" in mount or mark in mount),
        *(f"cgroup {group}" for group in groups),
        *(f"folder {folder}" for folder in [cluster.folder] if folder.exists()),
    ]


def eventually(look: Callable[[], bool], within: float = 60.0) -> None:
    """Returns when the look is true; an AssertionError when it is not in time."""
    deadline = time.monotonic() + within
    while not look():
        assert time.monotonic() < deadline, f"not within {within:g} s"
        time.sleep(0.01)
