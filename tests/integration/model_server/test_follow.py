"""The whole way of an instruction: ConfigMap, sidecar, server; on the real API server, by both containers' commands."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from devcluster.cluster import Cluster
from sentinel_operator.api.active import ActiveConfig, ParityLimits, RevisionConfig
from sentinel_operator.api.serving import FetchConfig, ServingConfig
from sentinel_workloads.fetch.artifact import digest_of
from tests.integration.fetch.sidecar import Side, Sidecar, operators_side
from tests.integration.model_server.pod import SCHEMA, answers, standing
from tests.integration.model_server.process import ModelServer
from tests.unit.model_server import graphs

pytestmark = pytest.mark.integration


@pytest.fixture
async def side(api_server: Cluster, tmp_path: Path) -> AsyncIterator[Side]:
    async with operators_side(api_server.kubeconfig, tmp_path) as made:
        yield made


def a_revision(root: Path, name: str) -> RevisionConfig:
    folder = root / "store" / name
    graphs.save(graphs.linear_classifier(3, 2), folder / "model.onnx")
    (folder / "name.txt").write_text(name)
    digest = digest_of(folder)
    serving = {"name": "demo", "namespace": "team", "revision": name, "modelDigest": digest, **SCHEMA}
    fetch = FetchConfig(uri=f"file://{folder}/", digest=digest)
    return RevisionConfig(fetch=fetch, serving=ServingConfig.model_validate(serving))


async def until(server: ModelServer, condition: Callable[[], bool], what: str) -> None:
    await asyncio.to_thread(server.until, condition, what)


async def test_a_swap_by_config_map_survives_the_death_of_either_container(side: Side, tmp_path: Path):
    one, two = a_revision(tmp_path, "one"), a_revision(tmp_path, "two")
    sidecar = Sidecar(side, tmp_path)
    await side.say(ActiveConfig(serial=1, active="one", revisions=(one,), replay=50))
    assert (await sidecar.once())[0] == 0
    sidecar.start()
    process = {**json.loads(one.serving.model_dump_json(by_alias=True)), "modelDir": "unused"}
    (sidecar.out / "serving.json").write_text(json.dumps(process))
    server = ModelServer(sidecar.out, follow=True)
    try:
        await asyncio.to_thread(server.says, "ready")
        assert answers(server) == "one"
        limits = ParityLimits(min_inputs=5)
        for _ in range(10):
            answers(server)
        both = {"revisions": (one, two), "candidate": "two", "replay": 50, "parity": limits}
        await side.say(ActiveConfig(serial=2, active="one", **both))

        def passed() -> bool:
            found = server.series("sentinel_model_server_parity_verdict")
            return bool(found) and found[0][0]["verdict"] == "Pass"

        await until(server, passed, "compared")
        sidecar.kill()
        await side.say(ActiveConfig(serial=3, active="two", **both))
        sidecar.start()
        await until(server, lambda: answers(server) == "two", "swapped")
        server.process.send_signal(signal.SIGKILL)
        server.wait()
        server.kill()
        server = ModelServer(sidecar.out, follow=True)
        await asyncio.to_thread(server.says, "ready")
        assert answers(server) == "two"
        await until(server, lambda: standing(server, "one") == ("Former", "Ready", ""), "kept")
        await side.say(ActiveConfig(serial=4, active="one", revisions=(one, two)))
        await until(server, lambda: answers(server) == "one", "returned")
        await side.say(ActiveConfig(serial=5, active="one", revisions=(one,)))
        await asyncio.to_thread(server.says, "unloaded")
        await sidecar.until(lambda: not (sidecar.out / "revisions" / "two").exists())
        assert answers(server) == "one"
    finally:
        server.kill()
        sidecar.kill()
