"""Names of pods and containers by their ids, from the links to logs that the kubelet makes.

`/var/log/containers/<pod>_<namespace>_<container>-<id>.log` leads to `…/<namespace>_<pod>_<uid>/<container>/0.log`; the
link itself is all that is read. The API server would tell too, to whoever may read the pods of every namespace.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from sentinel_agent.host.cgroups import Owner
from sentinel_agent.pods.allocation import Container

_LOG = re.compile(r"^([^_]+)_([^_]+)_(.+)-([0-9a-f]{64})\.log$")
_PATIENCE = 1.0


class Names:
    """Looks names up; reads the folder again where an id is not known, at most once in a second."""

    def __init__(self, container_logs: Path) -> None:
        self._folder = container_logs
        self._pods: dict[str, tuple[str, str]] = {}
        self._uids: dict[tuple[str, str], str] = {}
        self._containers: dict[str, str] = {}
        self._read_at = float("-inf")

    def of(self, owner: Owner) -> Container | None:
        """Gives the names of a process's owner; None where the kubelet does not know it."""
        if owner.pod_uid not in self._pods or (owner.container_id and owner.container_id not in self._containers):
            self._read()
        named = self._pods.get(owner.pod_uid)
        return Container(*named, self._containers.get(owner.container_id, "")) if named else None

    def pod(self, uid: str) -> tuple[str, str] | None:
        """Gives namespace and name of a pod."""
        if uid not in self._pods:
            self._read()
        return self._pods.get(uid)

    def uid(self, namespace: str, pod: str) -> str:
        """Gives the uid of a pod; empty where it is not known."""
        if (namespace, pod) not in self._uids:
            self._read()
        return self._uids.get((namespace, pod), "")

    def _read(self) -> None:
        if time.monotonic() - self._read_at < _PATIENCE:
            return
        self._read_at = time.monotonic()
        pods: dict[str, tuple[str, str]] = {}
        containers: dict[str, str] = {}
        for name, target in _links(self._folder):
            found = _LOG.match(name)
            if found:
                pod, namespace, container, container_id = found.groups()
                containers[container_id] = container
                uid = _uid(target, f"{namespace}_{pod}_")
                if uid:
                    pods[uid] = (namespace, pod)
        self._pods, self._containers = pods, containers
        self._uids = {names: uid for uid, names in pods.items()}


def _uid(target: str, prefix: str) -> str:
    return next((part.removeprefix(prefix) for part in target.split("/") if part.startswith(prefix)), "")


def _links(folder: Path) -> Iterator[tuple[str, str]]:
    try:
        names = [entry.name for entry in os.scandir(folder)]
    except OSError:
        return
    for name in names:
        try:
            yield name, str((folder / name).readlink())
        except OSError:
            continue
