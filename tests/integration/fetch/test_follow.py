"""The sidecar against the real API server: it does what the ConfigMap says, under the Role of the contract."""

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
import pytest
import yaml

from devcluster.cluster import Cluster
from sentinel_operator.api.active import ACTIVE_FILE, ActiveConfig, Instruction
from sentinel_operator.api.serving import ExitCode, Termination
from sentinel_operator.core.plan import ObjectRef
from sentinel_operator.engine.access import Access, Source
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.metrics import Metrics
from sentinel_operator.engine.resources import Resource
from sentinel_operator.engine.transport import Limits, Transport
from tests.integration.fetch.harness import eventually
from tests.integration.fetch.revisions import a_revision, naming
from tests.support.cuttingproxy import CuttingProxy, Fault

pytestmark = pytest.mark.integration
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
            "verbs": ["get", "list", "watch"],
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


@pytest.fixture
async def side(api_server: Cluster, tmp_path: Path) -> AsyncIterator[Side]:
    access = await Access.open(Source(api_server.kubeconfig))
    made = Side(KubeApi(Transport(access, metrics=Metrics(), limits=Limits())), api_server.kubeconfig, tmp_path)
    await made.prepare()
    yield made
    await made.api.delete(NAMESPACES, ObjectRef("v1", "Namespace", "", made.namespace))
    await access.close()


@pytest.fixture
async def sidecar(side: Side, tmp_path: Path) -> AsyncIterator[Sidecar]:
    made = Sidecar(side, tmp_path)
    yield made
    made.kill()


def own(sidecar: Sidecar, root: Path, name: str) -> None:
    """What the pod's template says."""
    revision = a_revision(root, name)
    (sidecar.config / "fetch.json").write_text(revision.fetch.model_dump_json(by_alias=True))
    (sidecar.config / "serving.json").write_text(revision.serving.model_dump_json(by_alias=True))


async def test_what_is_named_is_fetched_and_told_and_what_is_named_no_longer_goes(sidecar: Sidecar, tmp_path: Path):
    one, two = a_revision(tmp_path, "one"), a_revision(tmp_path, "two")
    await sidecar.side.say(naming(one, replay=7))
    code, termination = await sidecar.once()
    assert (code, termination.verification and termination.verification.digest) == (0, one.fetch.digest)
    assert sidecar.told is not None
    assert (sidecar.told.active, sidecar.told.replay) == ("one", 7)
    sidecar.start()
    await sidecar.until(lambda: any(line["message"] == "listening" for line in sidecar.log))
    await sidecar.side.say(naming(one, two, candidate="two", serial=2))
    await sidecar.until(lambda: sidecar.state("two") == "Verified")
    assert sidecar.told.active == "one"
    served = Path(sidecar.told.revisions[1].serving.model_dir)
    assert (served / "model.onnx").read_bytes() == b"two" * 1000
    assert json.loads((served.parent / "verified.json").read_text())["digest"] == two.fetch.digest
    await sidecar.side.say(naming(two, one, serial=3))
    await sidecar.until(lambda: sidecar.told and sidecar.told.active == "two")
    assert (sidecar.out / "revisions" / "one" / "artifact").exists(), "kept for a return"
    await sidecar.side.say(naming(two, serial=4))
    await sidecar.until(lambda: not (sidecar.out / "revisions" / "one").exists())
    assert (await sidecar.get("/healthz"))[0] == (await sidecar.get("/readyz"))[0] == 200
    metrics = (await sidecar.get("/metrics"))[1]
    assert 'sentinel_follow_revision_state{revision="two",state="Verified",reason=""} 1.0' in metrics
    assert "sentinel_follow_connected 1.0" in metrics


async def test_a_candidate_that_fails_is_told_with_its_field_and_nothing_else_changes(sidecar: Sidecar, tmp_path: Path):
    one, bad = a_revision(tmp_path, "one"), a_revision(tmp_path, "bad", digest="sha256:" + "0" * 64)
    await sidecar.side.say(naming(one, bad, candidate="bad"))
    sidecar.start()
    await sidecar.until(lambda: sidecar.state("bad") == "Failed")
    assert sidecar.told is not None
    failure = sidecar.told.revisions[1].failure
    assert failure is not None
    assert (failure.reason, failure.field) == ("DigestMismatch", "spec.model.digest")
    left = Termination.model_validate_json((sidecar.out / "revisions" / "bad" / "failed.json").read_bytes())
    assert left == failure
    assert not (sidecar.out / "revisions" / "bad" / "artifact").exists()
    await sidecar.side.say(naming(bad, serial=2))
    await sidecar.until(lambda: sidecar.told and sidecar.told.pending == "bad")
    assert sidecar.told.active == "one", "what is not there is not flipped to"
    assert sidecar.state("one") == "Verified"


async def test_what_is_wrong_at_the_start_ends_it_as_it_ends_a_fetch(sidecar: Sidecar, tmp_path: Path):
    await sidecar.side.say(naming(a_revision(tmp_path, "bad", digest="sha256:" + "0" * 64)))
    code, termination = await sidecar.once()
    assert (code, termination.reason, termination.field) == (
        ExitCode.DigestMismatch,
        "DigestMismatch",
        "spec.model.digest",
    )
    await sidecar.side.say("{}")
    code, termination = await sidecar.once()
    assert (code, termination.reason) == (ExitCode.InvalidConfig, "InvalidConfig")
    assert "active" in termination.message


async def test_without_a_config_map_the_pods_own_revision_is_served_until_there_is_one(
    sidecar: Sidecar, tmp_path: Path
):
    own(sidecar, tmp_path, "mine")
    code, _ = await sidecar.once()
    assert code == 0
    assert sidecar.told is not None
    assert sidecar.told.active == "mine"
    sidecar.start()
    await sidecar.until(lambda: any("ConfigMap is gone" in line["message"] for line in sidecar.log))
    await sidecar.side.say(naming(a_revision(tmp_path, "one")))
    await sidecar.until(lambda: sidecar.told and sidecar.told.active == "one")
    await sidecar.side.say("nonsense")
    await sidecar.until(lambda: any("Invalid JSON" in line["message"] for line in sidecar.log))
    assert "sentinel_follow_invalid 1.0" in (await sidecar.get("/metrics"))[1]
    await sidecar.side.remove()
    await sidecar.until(lambda: sum("ConfigMap is gone" in line["message"] for line in sidecar.log) > 1)
    assert sidecar.told.active == "one", "a ConfigMap that is gone is no order"


async def test_a_pod_that_starts_anew_obeys_the_config_map_and_not_its_template(sidecar: Sidecar, tmp_path: Path):
    own(sidecar, tmp_path, "mine")
    await sidecar.side.say(naming(a_revision(tmp_path, "two"), a_revision(tmp_path, "mine")))
    code, _ = await sidecar.once()
    assert code == 0
    assert sidecar.told is not None
    assert sidecar.told.active == "two"


async def test_an_api_server_that_is_away_ends_the_first_container_and_never_the_second(
    sidecar: Sidecar, side: Side, tmp_path: Path
):
    one, two = a_revision(tmp_path, "one"), a_revision(tmp_path, "two")
    await side.say(naming(one))
    port = sidecar.port
    sidecar.port = 1
    code, termination = await sidecar.once("--patience", "1")
    assert (code, termination.field) == (ExitCode.StorageUnreachable, f"ConfigMap {NAME}")
    sidecar.port = port
    assert (await sidecar.once())[0] == 0
    sidecar.port = 1
    process = sidecar.start()
    await sidecar.until(lambda: sum("read the ConfigMap again" in line["message"] for line in sidecar.log) > 3)
    assert process.poll() is None
    sidecar.kill()
    async with CuttingProxy.before(port, Fault(refuse=True), Fault(cut_after=3000), Fault(cut_after=9000)) as proxy:
        sidecar.port = proxy.port
        sidecar.start()
        await sidecar.until(lambda: proxy.connections > 2)
        await side.say(naming(two, one, serial=2))
        await sidecar.until(lambda: sidecar.told and sidecar.told.active == "two")


@asynccontextmanager
async def _process(*command: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_follower_killed_between_any_two_writes_leaves_what_a_server_can_start_from(tmp_path: Path):
    async with _process(sys.executable, "-m", "tests.integration.fetch.killed_follower", str(tmp_path)) as process:
        out, err = await asyncio.wait_for(process.communicate(), 500)
    assert process.returncode == 0, err.decode()[-3000:]
    assert int(out) > 30, "places to die in"
