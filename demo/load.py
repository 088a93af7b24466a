"""A pod that asks a model without pause, by its Service as any client does, and what it got."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo.waiting import eventually
from devcluster import images
from devcluster.providers import AnyCluster

PORT = 8000
_PROGRAM = Path(__file__).with_name("client_pod.py")
_PYTHON = "/opt/venv/bin/python"
_RESTRICTED = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


@dataclass(frozen=True, slots=True)
class Tally:
    """Answers by version and by client, and the failures."""

    versions: Mapping[str, int] = field(default_factory=dict)
    clients: Mapping[str, int] = field(default_factory=dict)
    failed: int = 0
    failures: tuple[str, ...] = ()

    @classmethod
    def read(cls, text: str) -> Tally:
        """Reads what the client tells."""
        told = json.loads(text)
        return cls(told["versions"], told["clients"], told["failed"], tuple(told["failures"]))

    def since(self, earlier: Tally) -> Tally:
        """Gives what was added to an earlier one."""
        return Tally(
            _added(self.versions, earlier.versions),
            _added(self.clients, earlier.clients),
            self.failed - earlier.failed,
            self.failures[len(earlier.failures) :],
        )


@dataclass(frozen=True, slots=True)
class Load:
    """The client pod of a world."""

    cluster: AnyCluster
    namespace: str
    model: str
    clients: tuple[str, ...]
    """Kinds of connection and their addresses, as client_pod.py takes them."""
    name: str = "client"

    def start(self, *, node: str = "") -> None:
        """Makes the pod, on the node if one is named, and returns when every client has had answers."""
        metadata = {"name": self.name, "namespace": self.namespace}
        program = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
        self.cluster.apply([{**program, "data": {"client.py": _PROGRAM.read_text()}}, self._pod(node)])
        self._kubectl("wait", "--for=condition=Ready", f"pod/{self.name}", "--timeout=60s")
        everyone = set(self.clients)
        eventually(lambda: set(self.tally().clients) == everyone, within=60, otherwise=lambda: str(self.tally()))

    def tally(self) -> Tally:
        """Asks the pod by way of the API server."""
        path = f"/api/v1/namespaces/{self.namespace}/pods/{self.name}:{PORT}/proxy/"
        return Tally.read(self.cluster.kubectl("get", "--raw", path))

    def tally_at(self, address: str) -> Tally:
        """Asks the pod itself, where the machine reaches it."""
        with urllib.request.urlopen(f"http://{address}:{PORT}/", timeout=10) as answer:
            return Tally.read(answer.read().decode())

    def address(self) -> str:
        """Gives the pod's address."""
        return self._kubectl("get", "pod", self.name, "--output=jsonpath={.status.podIP}")

    def stop(self) -> None:
        """Removes the pod without waiting for its end."""
        self._kubectl("delete", "pod", self.name, "--wait=false")

    def await_only(self, version: str, *, within: float = 60.0) -> None:
        """Waits until answers come from that version alone."""
        last = [self.tally()]

        def look() -> bool:
            last.append(self.tally())
            return set(last[-1].since(last[-2]).versions) == {version}

        eventually(look, within=within, otherwise=lambda: f"{last[-1].since(last[-2])}")

    def _kubectl(self, *words: str) -> str:
        return self.cluster.kubectl(f"--namespace={self.namespace}", *words)

    def _pod(self, node: str) -> dict[str, Any]:
        container = {
            "name": "client",
            "image": images.IMAGES["model-server"].reference,
            "imagePullPolicy": "IfNotPresent",
            "command": [_PYTHON, "/etc/client/client.py", self.model, *self.clients],
            "readinessProbe": {"httpGet": {"path": "/", "port": PORT}, "periodSeconds": 1},
            "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}},
            "securityContext": _RESTRICTED,
            "volumeMounts": [{"name": "program", "mountPath": "/etc/client", "readOnly": True}],
        }
        spec = {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "containers": [container],
            "volumes": [{"name": "program", "configMap": {"name": self.name}}],
            **({"nodeSelector": {"kubernetes.io/hostname": node}} if node else {}),
        }
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": self.name, "namespace": self.namespace, "labels": {"app": self.name}},
            "spec": spec,
        }


def _added(now: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    return {key: number - before.get(key, 0) for key, number in now.items() if number > before.get(key, 0)}
