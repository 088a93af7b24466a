"""A namespace of the real API server in which a test writes what an operator and kubelets would have written."""

from __future__ import annotations

import asyncio
import copy
import os
import signal
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from typer.testing import CliRunner

from sentinel_operator.api.kinds import SENTRY_MODEL
from sentinel_operator.cli.__main__ import app
from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.core.reconciler import PODS
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.resources import EVENTS, Resource

MODELS = Resource.of_kind(SENTRY_MODEL)
POD_RESOURCE = Resource.of_child(PODS)
NAMESPACES = Resource("v1", "Namespace", "namespaces", namespaced=False)
ACCOUNTS = Resource("v1", "ServiceAccount", "serviceaccounts")
ROLES = Resource("rbac.authorization.k8s.io/v1", "Role", "roles")
BINDINGS = Resource("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings")
RECORDED = Path(__file__).parents[2] / "unit" / "cli" / "recorded"
_DEADLINE = 120.0


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(slots=True)
class Running:
    """A command under way."""

    process: asyncio.subprocess.Process

    async def line(self) -> str:
        """Gives the next line of stdout."""
        assert self.process.stdout is not None
        async with asyncio.timeout(_DEADLINE):
            return (await self.process.stdout.readline()).decode()

    async def done(self) -> Done:
        """Waits for its end."""
        async with asyncio.timeout(_DEADLINE):
            out, err = await self.process.communicate()
        return Done(self.process.returncode or 0, out.decode(), err.decode())


async def start(command: list[str], environment: dict[str, str]) -> Running:
    """Starts a program."""
    pipe = asyncio.subprocess.PIPE
    whole = {**os.environ, **environment}
    return Running(
        await asyncio.create_subprocess_exec(
            *command, stdout=pipe, stderr=pipe, env=whole, preexec_fn=_hears_interrupts
        )
    )


def _hears_interrupts() -> None:
    """A program that a shell starts in the background ignores them, and so would what it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


async def run(command: list[str], environment: dict[str, str]) -> Done:
    """Runs a program to its end."""
    return await (await start(command, environment)).done()


@dataclass(slots=True)
class World:
    """One namespace, and what a person does in it."""

    api: KubeApi
    kubeconfig: Path
    namespace: str = field(default_factory=lambda: f"cli-{uuid.uuid4().hex[:8]}")

    async def start(self, *words: str, kubeconfig: Path | None = None) -> Running:
        """Starts `kubectl sentinel WORDS` in the namespace, in a process of its own."""
        command = [sys.executable, "-m", "sentinel_operator.cli", *words, *self._flags(kubeconfig)]
        return await start(command, {"PYTHONUNBUFFERED": "1"})

    async def run(self, *words: str, kubeconfig: Path | None = None) -> Done:
        """Runs `kubectl sentinel WORDS` in the namespace to its end, in a thread: that saves the imports."""
        command = [*words, *self._flags(kubeconfig)]
        done = await asyncio.to_thread(CliRunner().invoke, app, command, catch_exceptions=False)
        return Done(done.exit_code, done.stdout, done.stderr)

    def _flags(self, kubeconfig: Path | None) -> tuple[str, ...]:
        return ("--kubeconfig", str(kubeconfig or self.kubeconfig), "--namespace", self.namespace)

    async def model(self, name: str, case: str) -> Manifest:
        """Creates a model as it was recorded, with its status."""
        raw = _recording(case)["object"]
        spec = raw["spec"] if case != "invalid-spec" else _recording("ready")["object"]["spec"]
        manifest = {
            "apiVersion": raw["apiVersion"],
            "kind": raw["kind"],
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": spec,
        }
        made = await self.api.apply(MODELS, manifest, field_manager="user")
        return await self.status(name, case) if "status" in raw else made

    async def status(self, name: str, case: str) -> Manifest:
        """Writes the recorded status, as an operator would that has looked at the present spec."""
        live = await self.api.get(MODELS, self.namespace, name)
        status = copy.deepcopy(_recording(case)["object"]["status"])
        status["observedGeneration"] = live["metadata"]["generation"]
        return await self.api.apply_status(MODELS, _named(live, status=status))

    async def pods(self, model: str, case: str) -> list[Manifest]:
        """Makes the recorded pods of a model, with the status that their kubelets wrote."""
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "pods", "namespace": self.namespace},
        }
        await self.api.apply(ACCOUNTS, account)
        made = []
        for pod in _recording(case)["pods"]:
            metadata = {
                "name": f"{model}-{pod['metadata']['name']}",
                "namespace": self.namespace,
                "labels": {**pod["metadata"]["labels"], "sentinel.dev/name": model},
            }
            spec = {"serviceAccountName": "pods", "containers": [{"name": "server", "image": "none"}]}
            manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
            live = await self.api.create(POD_RESOURCE, manifest)
            made.append(await self.api.apply_status(POD_RESOURCE, _named(live, status=_complete(pod["status"]))))
        return made

    async def event(self, regarding: Manifest, reason: str, note: str, *, at: str, **more: Any) -> None:
        """Records an event."""
        about = regarding["metadata"]
        body = {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {"name": f"{about['name']}.{uuid.uuid4().hex[:8]}", "namespace": self.namespace},
            "eventTime": at,
            "type": "Normal",
            "reason": reason,
            "note": note,
            "action": reason,
            "reportingController": "sentinel.dev/operator",
            "reportingInstance": "test",
            "regarding": {
                "kind": regarding["kind"],
                "namespace": self.namespace,
                "name": about["name"],
                "uid": about["uid"],
            },
            **more,
        }
        await self.api.create(EVENTS, body)

    async def remove(self, name: str) -> None:
        """Deletes a model."""
        await self.api.delete(MODELS, ObjectRef(MODELS.api_version, MODELS.kind, self.namespace, name))


def _recording(case: str) -> dict[str, Any]:
    return yaml.safe_load((RECORDED / f"{case}.yaml").read_text(encoding="utf-8"))


def _named(live: Manifest, **parts: Any) -> Manifest:
    metadata = {key: live["metadata"][key] for key in ("name", "namespace")}
    return {"apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": metadata, **parts}


def _complete(status: Manifest) -> Manifest:
    """Adds what the API server wants of a container's status."""
    filled = copy.deepcopy(status)
    for container in (*filled["initContainerStatuses"], *filled["containerStatuses"]):
        for key, value in {"ready": False, "restartCount": 0, "image": "none", "imageID": ""}.items():
            container.setdefault(key, value)
    return filled
