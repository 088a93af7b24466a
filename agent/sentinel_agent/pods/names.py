"""Names of pods and containers by their ids, from the folders of logs that the kubelet keeps under those names.

The API server would tell too, to whoever may read the pods of every namespace; that right is not needed this way.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from sentinel_agent.host.cgroups import Owner
from sentinel_agent.pods.allocation import Container

_LOG = re.compile(r"^([^_]+)_([^_]+)_(.+)-([0-9a-f]{64})\.log$")
_POD = re.compile(r"^([^_]+)_([^_]+)_(.+)$")
_PATIENCE = 1.0


class Names:
    """Looks names up; reads the folders again where an id is not known, at most once in a second."""

    def __init__(self, *, pod_logs: Path, container_logs: Path) -> None:
        self._pod_logs, self._container_logs = pod_logs, container_logs
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
        pods = [found.groups() for name in _names(self._pod_logs) if (found := _POD.match(name))]
        self._pods = {uid: (namespace, pod) for namespace, pod, uid in pods}
        self._uids = {names: uid for uid, names in self._pods.items()}
        logs = [found.groups() for name in _names(self._container_logs) if (found := _LOG.match(name))]
        self._containers = {container_id: container for _, _, container, container_id in logs}


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(folder)]
    except OSError:
        return []
