"""The sidecar against the real API server: it does what the ConfigMap says, under the Role of the contract."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from devcluster.cluster import Cluster
from sentinel_operator.api.serving import ExitCode, Termination
from tests.integration.fetch.revisions import a_revision, naming
from tests.integration.fetch.sidecar import NAME, Side, Sidecar, operators_side
from tests.support.cuttingproxy import CuttingProxy, Fault

pytestmark = pytest.mark.integration


@pytest.fixture
async def side(api_server: Cluster, tmp_path: Path) -> AsyncIterator[Side]:
    async with operators_side(api_server.kubeconfig, tmp_path) as made:
        yield made


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
