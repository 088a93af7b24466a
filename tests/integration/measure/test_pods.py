"""Two revisions of the real model server, asked as they run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from sentinel_operator.api.analysis import AnalysisStatus
from sentinel_operator.core.analysis.progress import advance
from sentinel_operator.core.analysis.subject import Target
from sentinel_operator.engine.measure.fetch import anywhere
from sentinel_operator.engine.measure.measurer import Measurer
from tests.integration.measure.scene import Bench, bench, serving
from tests.integration.model_server.process import ModelServer, lay_out, tabular
from tests.support.eventually import eventually
from tests.unit.model_server import graphs

FAST = {"interval": "1s", "count": 2}
METRICS: tuple[dict[str, Any], ...] = tuple(
    {"name": name, "builtin": name, **FAST}
    for name in ("error-rate", "latency-p99", "label-agreement", "score-psi", "uncertain-share")
)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ModelServer, ModelServer]]:
    """A canary and a stable revision of three labels; the largest feature wins."""
    folder, model = tmp_path_factory.mktemp("revisions"), graphs.linear_classifier(3, 3)
    running = []
    for revision in ("aaaa1111", "bbbb2222"):
        config = tabular("size age speed", "Gaming Browsing Video", threshold=0.9, revision=revision)
        running.append(ModelServer(lay_out(folder / revision, model, config)))
    try:
        for server in running:
            server.says("ready")
        yield running[0], running[1]
    finally:
        for server in running:
            server.kill()


def targets(canary: ModelServer, stable: ModelServer) -> tuple[Target, ...]:
    return tuple(
        Target(
            uid=revision, name=f"pod-{revision}", revision=revision, address="127.0.0.1", port=server.ports["metrics"]
        )
        for revision, server in (("aaaa1111", canary), ("bbbb2222", stable))
    )


def predict(server: ModelServer, *winners: str, times: int) -> None:
    rows = [{name: 9.0 if name == winner else 0.0 for name in ("size", "age", "speed")} for winner in winners]
    for _ in range(times):
        status, _, _ = server.ask("/v1/predict", {"instances": rows})
        assert status == 200


async def until_due(on: Bench) -> None:
    async def all_are() -> bool:
        return len(on.tasks()) == len(on.spec.metrics or ())

    await eventually(all_are)


async def test_the_counts_of_real_servers_in_between_two_looks(servers):
    canary, stable = servers
    predict(canary, "size", times=20)  # before the first look: nobody's evidence
    async with bench(*METRICS, targets=targets(canary, stable)) as on:
        first = await on.measured()
        assert all(found.opened for found in first.values())
        on.state = advance(on.spec, on.state, first, max(found.at for found in first.values()))
        predict(canary, "size", "age", times=60)
        predict(stable, "size", "age", times=80)
        await until_due(on)
        found = await on.measured()
        requests, labels = found["error-rate"].contrast, found["label-agreement"].contrast
        assert (requests.canary["good"], requests.stable["good"]) == (60, 80)
        assert labels.canary == {"Gaming": 60, "Browsing": 60}
        assert labels.stable == {"Gaming": 80, "Browsing": 80}
        assert found["latency-p99"].contrast.canary["+Inf"] == 60
        assert found["score-psi"].contrast.stable["+Inf"] == 160
        assert found["uncertain-share"].contrast.canary["good"] == 120


async def test_a_candidate_with_other_labels_is_failed_by_what_its_pods_tell(servers):
    canary, stable = servers
    metric = {"name": "labels", "builtin": "label-agreement", "interval": "1s", "count": 1, "failureLimit": 0}
    async with bench(metric, targets=targets(canary, stable)) as on:
        await on.step()
        predict(canary, "size", "size", "age", times=60)
        predict(stable, "size", "age", "age", times=60)
        await until_due(on)
        state = await on.step()
    assert state.verdict == "Fail"
    assert "below 0.9" in state.message


async def test_a_restart_of_the_operator_begins_a_new_look_and_keeps_the_verdict_so_far(servers):
    canary, stable = servers
    metric = {"name": "errors", "builtin": "error-rate", "interval": "1s", "count": 3}
    async with bench(metric, targets=targets(canary, stable)) as on:
        await on.step()
        predict(canary, "size", times=60)
        predict(stable, "size", times=60)
        await until_due(on)
        await on.step()
        assert on.state.metrics[0].successes == 1
        await on.measurer.close()
        on.measurer = Measurer(changed=on.news.append, allowed=anywhere)
        on.state = AnalysisStatus.model_validate(json.loads(on.state.model_dump_json(by_alias=True)))
        await until_due(on)
        found = await on.measured()
        assert found["errors"].opened
        on.state = advance(on.spec, on.state, found, found["errors"].at)
        assert on.state.metrics[0].successes == 1


async def test_a_pod_that_talks_nonsense_is_left_out_and_named(servers):
    canary, stable = servers

    async def nonsense(_: web.Request) -> web.Response:
        return web.Response(text='sentinel_model_server_requests_total{code="200"} NaN\n')

    async with serving(nonsense) as address:
        liar = Target(
            uid="liar", name="liar", revision="aaaa1111", address="127.0.0.1", port=int(address.rpartition(":")[2])
        )
        metric = {"name": "errors", "builtin": "error-rate", "interval": "1s"}
        async with bench(metric, targets=(*targets(canary, stable), liar)) as on:
            await on.step()
            predict(canary, "size", times=60)
            predict(stable, "size", times=60)
            await until_due(on)
            state = await on.step()
        assert state.metrics[0].successes == 1
        assert "liar: sentinel_model_server_requests_total is nan" in state.message
        async with bench(metric, targets=(liar, targets(canary, stable)[1])) as on:
            found = (await on.measured())["errors"]
        assert "no pod of the new revision aaaa1111 of 1 tells its metrics: liar" in found.error


async def test_a_look_that_fails_loses_no_counts(servers):
    canary, stable = servers
    metric = {"name": "errors", "builtin": "error-rate", "interval": "1s"}
    async with bench(metric, targets=targets(canary, stable)) as on:
        await on.step()
        predict(canary, "size", times=60)
        predict(stable, "size", times=60)
        whole, on.subject = on.subject, replace(on.subject, targets=())
        await until_due(on)
        state = await on.step()
        assert state.metrics[0].errors == 1
        on.subject = whole
        await until_due(on)
        found = (await on.measured())["errors"]
        assert found.contrast is not None
        assert found.contrast.canary["good"] == 60


async def test_a_revision_that_is_alone_is_measured_alone(servers):
    canary, stable = servers
    metric = {"name": "errors", "builtin": "error-rate", "interval": "1s", "max": 0.5, "count": 1, "failureLimit": 0}
    async with bench(metric, targets=targets(canary, stable)[:1]) as on:
        on.subject = replace(on.subject, stable="")
        await on.step()
        predict(canary, "size", times=60)
        await until_due(on)
        assert (await on.step()).verdict == "Pass"
