"""The operator's side of a ConfigMap on the real API server, and the sidecar that follows it."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import yaml

from sentinel_operator.api.active import ACTIVE_FILE, ActiveConfig, Instruction
from sentinel_operator.api.serving import Termination
from sentinel_operator.core.plan import ObjectRef
from sentinel_operator.engine.access import Access, Source
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.metrics import Metrics
from sentinel_operator.engine.resources import Resource
from sentinel_operator.engine.transport import Limits, Transport
from tests.integration.fetch.harness import eventually

RBAC = "rbac.authorization.k8s.io/v1"
CONFIG_MAPS = Resource("v1", "ConfigMap", "configmaps")
ACCOUNTS = Resource("v1", "ServiceAccount", "serviceaccounts")
NAMESPACES = Resource("v1", "Namespace", "namespaces", namespaced=False)
ROLES, BINDINGS = Resource(RBAC, "Role", "roles"), Resource(RBAC, "RoleBinding", "rolebindings")
NAME = "demo-active"


class Side:
    """The operator's side: a namespace with the ConfigMap, and an account that may read that and nothing else."""

    def __init__(self, api: KubeApi, kubeconfig: Path, folder: Path) -> None:
        self.api = api
        self.namespace = f"f-{uuid.uuid4().hex[:8]}"
        self.account = folder / "account"
        cluster = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]
        self.server = urlsplit(cluster["server"])
        data = cluster.get("certificate-authority-data")
        self._authority = base64.b64decode(data) if data else Path(cluster["certificate-authority"]).read_bytes()

    async def prepare(self) -> None:
        where = {"namespace": self.namespace, "name": "demo"}
        await self.api.apply(
            NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        )
        await self.api.apply(ACCOUNTS, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": where})
        rule = {
            "apiGroups": [""],
            "resources": ["configmaps"],
            "resourceNames": [NAME],
            "verbs": ["list", "watch"],
        }
        await self.api.apply(ROLES, {"apiVersion": RBAC, "kind": "Role", "metadata": where, "rules": [rule]})
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "demo"}
        subject = {"kind": "ServiceAccount", **where}
        binding = {"kind": "RoleBinding", "metadata": where, "roleRef": reference, "subjects": [subject]}
        await self.api.apply(BINDINGS, {"apiVersion": RBAC, **binding})
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        ref = ObjectRef("v1", "ServiceAccount", self.namespace, "demo")
        token = await self.api.create_under(ACCOUNTS, ref, "token", request)
        self.account.mkdir()
        (self.account / "token").write_text(token["status"]["token"])
        (self.account / "ca.crt").write_bytes(self._authority)
        (self.account / "namespace").write_text(self.namespace)

    async def say(self, wanted: ActiveConfig | str) -> None:
        text = wanted if isinstance(wanted, str) else wanted.model_dump_json(by_alias=True)
        metadata = {"name": NAME, "namespace": self.namespace}
        await self.api.apply(
            CONFIG_MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {ACTIVE_FILE: text}}
        )

    async def remove(self) -> None:
        await self.api.delete(CONFIG_MAPS, ObjectRef("v1", "ConfigMap", self.namespace, NAME))


@asynccontextmanager
async def operators_side(kubeconfig: Path, folder: Path) -> AsyncIterator[Side]:
    """Makes the namespace, and removes it."""
    access = await Access.open(Source(kubeconfig))
    made = Side(KubeApi(Transport(access, metrics=Metrics(), limits=Limits())), kubeconfig, folder)
    await made.prepare()
    try:
        yield made
    finally:
        await made.api.delete(NAMESPACES, ObjectRef("v1", "Namespace", "", made.namespace))
        await access.close()


class Sidecar:
    """The container's command, and what it leaves."""

    def __init__(self, side: Side, folder: Path) -> None:
        self.side, self.folder = side, folder
        self.out = folder / "out"
        self.config = folder / "config"
        self.config.mkdir()
        self.port = side.server.port or 443
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> list[dict[str, Any]]:
        lines = (self.folder / "log").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    @property
    def told(self) -> Instruction | None:
        try:
            return Instruction.model_validate_json((self.out / "active.json").read_bytes())
        except FileNotFoundError:
            return None

    def state(self, revision: str) -> str:
        told = self.told
        found = [each.state for each in told.revisions if each.serving.revision == revision] if told else []
        return found[0] if found else ""

    def start(self, *flags: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "sentinel_workloads.fetch", "follow", "--config-map", NAME]
        command += ["--out", str(self.out), "--config", str(self.config), "--host", "127.0.0.1", "--port", "0"]
        command += ["--service-account", str(self.side.account), *flags]
        environment = {
            "PATH": "/usr/bin:/bin",
            "KUBERNETES_SERVICE_HOST": str(self.side.server.hostname),
            "KUBERNETES_SERVICE_PORT": str(self.port),
            "TERMINATION_LOG": str(self.folder / "termination"),
        }
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stderr=log, env=environment)
        return self._process

    async def once(self, *flags: str) -> tuple[int, Termination]:
        code = await asyncio.to_thread(self.start("--once", *flags).wait, 120)
        return code, Termination.model_validate_json((self.folder / "termination").read_bytes())

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(60)

    async def until(self, condition: Any) -> None:
        try:
            await eventually(condition, seconds=60)
        except TimeoutError:
            raise AssertionError((self.folder / "log").read_text()[-3000:]) from None

    async def get(self, path: str) -> tuple[int, str]:
        port = next(line["port"] for line in reversed(self.log) if line["message"] == "listening")
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as answer:
            return answer.status, await answer.text()
