"""A brain in the cluster, and the bridge by which its plans come in and their outcomes go back."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.brain.pod import CONTROL, GRPC
from demo.install import roll_out
from demo.waiting import eventually
from devcluster import images
from devcluster.paths import REPOSITORY
from devcluster.pki import Pki
from devcluster.providers import AnyCluster

Raw = dict[str, Any]
OPERATOR = "sentinel-system"
BRAIN, NAMESPACE, TOKEN = "brain", "inframind", "sentinel-bridge-token"
HOST = f"{BRAIN}.{NAMESPACE}.svc"
_PROGRAM = Path(__file__).with_name("brain")
_FOLDER, _SECRETS = "/etc/program", "/etc/brain"
_RESTRICTED = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


@dataclass(frozen=True, slots=True)
class BrainPod:
    """A brain that answers bridges with TLS and a token; what it proposes, and what it was told."""

    cluster: AnyCluster
    pki: Pki
    token: str

    @classmethod
    def start(cls, cluster: AnyCluster, folder: Path, *, node: str) -> BrainPod:
        """Makes the pod on the node, with keys of its own, in place of an earlier one, and returns when it serves."""
        made = cls(cluster, Pki.create(folder), secrets.token_hex(20))
        made.pki.issue(BRAIN, name=HOST, addresses=[HOST])
        cluster.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}])
        made._kubectl("delete", "pod", BRAIN, "--ignore-not-found", "--wait")
        cluster.apply([made._secret(), _program(), _service(), made._pod(node)])
        made._kubectl("wait", "--for=condition=Ready", f"pod/{BRAIN}", "--timeout=60s")
        return made

    def offer(self, plan: Mapping[str, Any]) -> None:
        """Proposes a plan, with the field names of decisions.proto."""
        self._kubectl("create", "-f", "-", f"--raw={self._path('plans')}", text=json.dumps(plan))

    def told(self) -> Raw:
        """Gives what the brain knows: outcomes, and points of telemetry by name."""
        told: Raw = json.loads(self._kubectl("get", f"--raw={self._path('')}"))
        return told

    def outcome(self, plan_id: str, *, within: float = 120.0) -> Raw:
        """Waits for what became of a plan."""

        def look() -> Raw | None:
            return next((each for each in self.told()["acks"] if each["plan_id"] == plan_id), None)

        return eventually(look, within=within, otherwise=lambda: f"nothing of {plan_id}: {self.told()}")

    def connect(self, *, source: str = "", **more: Any) -> None:
        """Tells the bridge of it, and lets the bridge know its token; its plans bear the source's name if one is
        given."""
        metadata = {"name": TOKEN, "namespace": OPERATOR}
        token = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"token": self.token}}
        bridge = {
            "endpoint": f"{HOST}:{GRPC}",
            "protocol": "gRPC",
            "tls": {"caBundle": (self.pki.folder / "ca.crt").read_text()},
            "tokenSecretRef": {"name": TOKEN, "key": "token"},
            "interval": "5s",
            "batch": {"maxAge": "5s"},
            **({"source": source} if source else {}),
        }
        config = {
            "apiVersion": "sentinel.dev/v1alpha1",
            "kind": "SentinelConfig",
            "metadata": {"name": "default"},
            "spec": {"clusterId": "demo", "bridge": bridge, **more},
        }
        self.cluster.apply([token, config])

    def disconnect(self) -> None:
        """Takes it all away."""
        self.cluster.kubectl("delete", "sentinelconfig", "default", "--ignore-not-found")
        self.cluster.kubectl("delete", "secret", TOKEN, f"--namespace={OPERATOR}", "--ignore-not-found")
        self._kubectl("delete", "pod", BRAIN, "--ignore-not-found", "--wait=false")

    def _path(self, path: str) -> str:
        return f"/api/v1/namespaces/{NAMESPACE}/pods/{BRAIN}:{CONTROL}/proxy/{path}"

    def _kubectl(self, *words: str, text: str | None = None) -> str:
        return self.cluster.kubectl(f"--namespace={NAMESPACE}", *words, text=text)

    def _secret(self) -> Raw:
        pair = {name: (self.pki.folder / f"{BRAIN}.{end}").read_text() for name, end in _PAIR.items()}
        metadata = {"name": BRAIN, "namespace": NAMESPACE}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {**pair, "token": self.token}}

    def _pod(self, node: str) -> Raw:
        mounts = [
            {"name": "program", "mountPath": _FOLDER, "readOnly": True},
            {"name": "secrets", "mountPath": _SECRETS, "readOnly": True},
        ]
        container = {
            "name": BRAIN,
            "image": images.IMAGES["operator"].reference,
            "imagePullPolicy": "IfNotPresent",
            "command": ["/opt/venv/bin/python", "-m", "demo.brain.pod", _SECRETS],
            "env": [{"name": "PYTHONPATH", "value": f"{_FOLDER}:/opt/sentinel"}],
            "readinessProbe": {"httpGet": {"path": "/", "port": CONTROL}, "periodSeconds": 1},
            "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}},
            "securityContext": _RESTRICTED,
            "volumeMounts": mounts,
        }
        files = [{"key": file.name, "path": f"demo/brain/{file.name}"} for file in _files()]
        spec = {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "nodeSelector": {"kubernetes.io/hostname": node},
            "containers": [container],
            "volumes": [
                {"name": "program", "configMap": {"name": BRAIN, "items": files}},
                {"name": "secrets", "secret": {"secretName": BRAIN}},
            ],
        }
        metadata = {"name": BRAIN, "namespace": NAMESPACE, "labels": {"app": BRAIN}}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


_PAIR = {"tls.crt": "crt", "tls.key": "key"}


def install_bridge(cluster: AnyCluster) -> None:
    """Applies the bridge, and waits until it is ready."""
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(REPOSITORY / "manifests" / "bridge"))
    roll_out(cluster, "deployment/sentinel-bridge", namespace=OPERATOR)


def _files() -> list[Path]:
    return sorted(_PROGRAM.glob("*.py"))


def _program() -> Raw:
    metadata = {"name": BRAIN, "namespace": NAMESPACE}
    data = {file.name: file.read_text() for file in _files()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _service() -> Raw:
    metadata = {"name": BRAIN, "namespace": NAMESPACE}
    spec = {"selector": {"app": BRAIN}, "ports": [{"port": GRPC}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
