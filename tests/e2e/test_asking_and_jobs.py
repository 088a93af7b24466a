"""A version that has to ask: a gate in the cluster, a provider that wants a Secret, and a Job with a pod of its own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from devcluster.images import IMAGES
from devcluster.paths import REPOSITORY
from tests.e2e.world import MODEL, Raw, World, condition, eventually

KEEPER = "gatekeeper"
VALUE = "t0ken-of-the-provider"
PORT = 8000
SERVE = f"""
import http.server, os

class Keeper(http.server.BaseHTTPRequestHandler):
    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        print(self.rfile.read(int(self.headers["Content-Length"])).decode(), flush=True)
        self.answer(204) if os.path.exists("/tmp/open") else self.answer(423, b"not on a Friday")

    def do_GET(self):
        self.answer(200, b"0.5" if self.headers["X-Key"] == "{VALUE}" else b"9")

http.server.ThreadingHTTPServer(("", {PORT}), Keeper).serve_forever()
"""
JUDGE = 'import os, sys; print(os.environ["CANARY"], os.environ["STABLE"]); sys.exit({code})'


@pytest.fixture
def asked(world: World) -> World:
    """A world with a gatekeeper, and with a Secret for it that the operator may read."""
    labels = {"app": KEEPER}
    program = {**_program(SERVE), "name": KEEPER}
    template = {"metadata": {"labels": labels}, "spec": {**_restricted(), "containers": [program]}}
    ports = [{"port": PORT}]
    secret = {"name": "sentinel-analysis", "labels": {"sentinel.dev/analysis": "true"}}
    hosts = {"sentinel.dev/analysis-hosts": f"{_host(world)}:{PORT}"}
    world.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": KEEPER},
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": KEEPER},
            "spec": {"selector": labels, "ports": ports},
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {**secret, "annotations": hosts},
            "stringData": {"scores": VALUE},
        },
    )
    component = REPOSITORY / "manifests/components/provider-secrets"
    for name in ("role.yaml", "role-binding.yaml"):
        world.kubectl("apply", "-f", str(component / name))
    world.kubectl("rollout", "status", f"deployment/{KEEPER}", "--timeout=90s")
    return world


def test_it_asks_is_measured_and_is_judged_by_a_job(asked: World) -> None:
    world = asked
    world.apply(_model(world, code=0, version="1.0.0"))
    world.await_ready()
    world.apply(_model(world, code=0, version="1.1.0"))
    closed = world.await_ready(status="False", reason="WaitingForGate")
    eventually(
        lambda: "answered 423 Locked: not on a Friday" in _message(world), within=30, otherwise=lambda: _message(world)
    )
    said = world.kubectl("logs", f"deployment/{KEEPER}").splitlines()  # the server's own lines among them
    question = json.loads(next(line for line in said if line.startswith("{")))
    assert question["key"] == f"{closed['status']['rollout']['candidate']}/0/1"
    assert (question["stable"]["version"], question["candidate"]["version"]) == ("1.0.0", "1.1.0")
    world.kubectl("exec", f"deployment/{KEEPER}", "--", "python3", "-c", 'open("/tmp/open", "w")')
    promoted = world.await_ready(within=240)
    assert promoted["status"]["stable"]["version"] == "1.1.0"
    (job,) = world.list("jobs")
    told = world.kubectl("logs", f"job/{job['metadata']['name']}").split()
    assert told == [closed["status"]["rollout"]["candidate"], closed["status"]["rollout"]["stable"]]
    assert VALUE not in world.kubectl("get", "sentrymodels,events,jobs", "-o", "yaml")
    operator = world.cluster.kubectl("logs", "-n", "sentinel-system", "-l", "app.kubernetes.io/name=sentinel-operator")
    assert VALUE not in operator


def test_a_job_that_ends_badly_rejects(asked: World) -> None:
    world = asked
    world.kubectl("exec", f"deployment/{KEEPER}", "--", "python3", "-c", 'open("/tmp/open", "w")')
    world.apply(_model(world, code=3, version="1.0.0"))
    world.await_ready()
    world.apply(_model(world, code=3, version="1.1.0"))
    rejected = world.await_ready(status="False", reason="RevisionRejected", within=240)
    assert "exit code 3" in condition(rejected, "Ready")["message"]
    assert rejected["status"]["stable"]["version"] == "1.0.0"


def _message(world: World) -> str:
    return str(condition(world.get("sentrymodel", MODEL), "Ready").get("message", ""))


def _host(world: World) -> str:
    return f"{KEEPER}.{world.namespace}.svc"


def _program(text: str) -> Raw:
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    image = IMAGES["model-server"].reference
    return {"image": image, "command": ["python3", "-c", text], "securityContext": security}


def _restricted() -> Raw:
    return {"securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}}


def _model(world: World, *, code: int, version: str) -> Raw:
    raw = world.model(version=version)
    url = f"http://{_host(world)}:{PORT}"
    container = {**_program(JUDGE.format(code=code)), "name": "judge"}
    container.pop("securityContext")
    header = {"name": "X-Key", "secretRef": {"name": "sentinel-analysis", "key": "scores"}}
    metrics: list[dict[str, Any]] = [
        {
            "name": "scores",
            "web": {"url": f"{url}/scores", "headers": [header]},
            "max": 1,
            "count": 1,
            "failureLimit": 0,
        },
        {"name": "judge", "job": {"template": {"spec": {"template": {"spec": {"containers": [container]}}}}}},
    ]
    steps = [{"gate": {"webhook": {"url": f"{url}/ask"}}}, {"setWeight": 50}, {"analysis": {"metrics": metrics}}]
    raw["spec"]["rollout"] = {"strategy": "Canary", "canary": {"steps": steps}}
    return raw
