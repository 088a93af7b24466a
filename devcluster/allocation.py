"""What clusters must not share: addresses on this machine and ports on its loopback."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from devcluster.errors import DevclusterError
from devcluster.network import INDEXES, Network
from devcluster.paths import state_root

Ports = tuple[int, int, int]
"""API server, etcd for clients, etcd for peers."""
IN_A_NODE: Ports = (6443, 2379, 2380)
_RECORD = "cluster.json"


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """Writes what is known of a cluster, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{_RECORD}.{os.getpid()}"
    partial.write_text(json.dumps(record))
    partial.rename(folder / _RECORD)


def read_record(folder: Path) -> dict[str, Any] | None:
    """Gives what was written, None where nothing was."""
    try:
        record: dict[str, Any] = json.loads((folder / _RECORD).read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    record["ports"] = tuple(record["ports"])
    return record


def remove_record(folder: Path) -> None:
    """Removes the folder; what is known of the cluster goes last, so that a removal that is killed can be finished."""
    for path in folder.iterdir() if folder.exists() else ():
        if path.name != _RECORD:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    if folder.exists():
        shutil.rmtree(folder)


def names() -> Iterator[str]:
    """Gives the name of every cluster of which there is a record."""
    yield from sorted(path.parent.name for path in state_root().glob(f"*/{_RECORD}"))


def free_index(name: str, folder: Path) -> int:
    """Gives an index whose network nobody has; the machine's lock has to be held until the network is claimed."""
    records = (read_record(state_root() / other) for other in names() if other != name)
    used = {record["index"] for record in records if record and record["nodes"]}
    for index in INDEXES:
        if index not in used and Network(name, index, folder).is_free():
            return index
    raise DevclusterError("every network of this machine that a cluster could have is in use")


def free_ports() -> Ports:
    """Gives three loopback ports that nobody had a moment ago."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in IN_A_NODE]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        first, second, third = (int(each.getsockname()[1]) for each in sockets)
    return first, second, third
