"""Service levels by a Prometheus and by real model servers: what is down, slow or talks nonsense is not known."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from sentinel_operator.api.servicelevels import ServiceLevels
from sentinel_operator.core.actionplan.view import TargetView, Telemetry
from sentinel_operator.core.conditions import rfc3339
from sentinel_operator.core.levels.measured import LEVELS
from sentinel_operator.core.plan import LevelsWanted, Manifest
from sentinel_operator.core.policy.policy import Policy
from sentinel_operator.core.targets import TargetKey
from sentinel_operator.engine.cache import Key, Owner
from sentinel_operator.engine.levels.levels import Levels
from sentinel_operator.engine.levels.looks import ModelLooks
from sentinel_operator.engine.levels.prometheus import PrometheusLevels
from tests.integration.measure.scene import Handler, serving
from tests.integration.model_server.process import ModelServer, lay_out, tabular
from tests.support.eventually import eventually
from tests.unit.model_server import graphs
from tests.unit.policy.scenes import policy, rule

WEB, MODEL = TargetKey("Deployment", "shop", "web"), TargetKey("SentryModel", "models", "demo")
QUERIES = {"uptimePercent": "up of {{name}}", "p99LatencyMs": "p99 of {{name}}", "successRatePercent": "ok of {{name}}"}
VALUES = {"up": "99.5", "p99": "120", "ok": "98"}
SLO = rule("SLO", maxP99LatencyMs=100, minSuccessRatePercent=99)


class Prometheus:
    """Answers by the first word of the query, and remembers all of them."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.headers: list[str] = []
        self.answers = dict(VALUES)
        self.at_once = self.most = 0
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def handle(self, request: web.Request) -> web.Response:
        query = request.query["query"]
        self.asked.append(query)
        self.headers.append(request.headers.get("Authorization", ""))
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await self.go_on.wait()
        finally:
            self.at_once -= 1
        value = self.answers.get(query.split()[0])
        result = [] if value is None else [{"metric": {}, "value": [1.7e9, value]}]
        return web.json_response({"status": "success", "data": {"resultType": "vector", "result": result}})


class Scene:
    """Levels over real sockets, a clock that the test moves, and what the operator would see of models."""

    def __init__(self, **settings: Any) -> None:
        self.time = 0.0
        self.settings = ServiceLevels.model_validate(settings)
        self.policies: tuple[Policy, ...] = ()
        self.pods: dict[str, list[Manifest]] = {}
        self.looks = ModelLooks(
            pods=self,
            policies=lambda: self.policies,
            settings=lambda: self.settings,
            now=lambda: datetime.now(UTC) + timedelta(seconds=self.time),
            rng=random.Random(1),
        )
        asks = PrometheusLevels(
            read_secret=self.secret,
            namespace=lambda: "sentinel-system",
            clock=self.clock,
            now=lambda: datetime.now(UTC),
        )
        self.levels = Levels(settings=lambda: self.settings, asks=asks, looks=self.looks, clock=self.clock)

    def clock(self) -> float:
        return self.time

    async def secret(self, namespace: str, ref: Any, *, host: str) -> str:
        return f"{namespace}/{ref.name}/{ref.key}"

    def owned_by(self, owner: Owner) -> list[Manifest]:
        return self.pods.get(owner.name, [])

    async def telemetry(self, key: TargetKey = WEB, *levels: str, pods: tuple[Manifest, ...] = ()) -> Telemetry:
        raw = {"metadata": {"uid": f"uid of {key}", "name": key.name, "namespace": key.namespace}}
        wanted = LevelsWanted(key, frozenset(levels or LEVELS))  # type: ignore[arg-type]
        found = (await self.levels.told({key: TargetView(raw=raw, pods=pods)}, [wanted]))[key].telemetry
        assert found is not None
        return found


@asynccontextmanager
async def scene(**settings: Any) -> AsyncIterator[Scene]:
    made = Scene(**settings)
    try:
        yield made
    finally:
        await made.levels.close()


@asynccontextmanager
async def asking(handler: Handler, **more: Any) -> AsyncIterator[Scene]:
    async with serving(handler) as address, scene(prometheus={"address": address, **more}, **QUERIES) as made:
        yield made


# ---------------------------------------------------------------------------------------------- Prometheus


async def test_any_kind_of_target_is_measured_by_queries():
    prometheus = Prometheus()
    async with asking(prometheus.handle, authorization={"secretRef": {"name": "s", "key": "k"}}) as on:
        found = await on.telemetry()
    assert (found.uptime_percent, found.p99_latency_ms, found.success_rate_percent) == (99.5, 120.0, 98.0)
    assert sorted(prometheus.asked) == ["ok of web", "p99 of web", "up of web"]
    assert set(prometheus.headers) == {"Bearer sentinel-system/s/k"}
    assert "over 24h until" in found.told["uptimePercent"]
    assert "over 5m until" in found.told["p99LatencyMs"]


async def test_only_what_is_wanted_is_asked():
    prometheus = Prometheus()
    async with asking(prometheus.handle) as on:
        found = await on.telemetry(WEB, "p99LatencyMs")
    assert prometheus.asked == ["p99 of web"]
    assert (found.p99_latency_ms, found.uptime_percent, set(found.told)) == (120.0, None, {"p99LatencyMs"})


async def test_a_flood_costs_one_measurement_a_target_and_a_bounded_number_at_once():
    prometheus = Prometheus()
    prometheus.go_on.clear()
    targets = [TargetKey("Deployment", "shop", f"web-{number}") for number in range(100)]
    async with asking(prometheus.handle, timeout="30s") as on:
        flood = [asyncio.create_task(on.telemetry(target, "p99LatencyMs")) for target in targets for _ in range(20)]

        async def full() -> bool:
            return prometheus.at_once == 32

        await eventually(full)
        prometheus.go_on.set()
        found = await asyncio.gather(*flood)
        assert {each.p99_latency_ms for each in found} == {120.0}
        assert len(prometheus.asked) == 100
        assert prometheus.most == 32
        await on.telemetry(targets[0], "p99LatencyMs")
        assert len(prometheus.asked) == 100, "it is remembered"
        on.time += 6
        await on.telemetry(targets[0], "p99LatencyMs")
        assert len(prometheus.asked) == 101, "for a few seconds"


async def test_other_settings_are_not_answered_from_memory():
    prometheus = Prometheus()
    async with asking(prometheus.handle) as on:
        await on.telemetry(WEB, "p99LatencyMs")
        on.settings = on.settings.model_copy(update={"p99_latency_ms": "other of {{name}}"})
        prometheus.answers["other"] = "7"
        assert (await on.telemetry(WEB, "p99LatencyMs")).p99_latency_ms == 7.0


async def test_whoever_gives_up_waiting_takes_nobody_else_along():
    prometheus = Prometheus()
    prometheus.go_on.clear()
    async with asking(prometheus.handle, timeout="30s") as on:
        first, second = (asyncio.create_task(on.telemetry(WEB, "p99LatencyMs")) for _ in range(2))

        async def asked() -> bool:
            return bool(prometheus.asked)

        await eventually(asked)
        first.cancel()
        prometheus.go_on.set()
        assert (await second).p99_latency_ms == 120.0


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        (None, "no data for 5m"),
        ("NaN", "no data"),
        ("101", "101, which cannot be"),
        ("-1", "-1, which"),
        ("+Inf", "inf"),
    ],
)
async def test_what_makes_no_sense_is_not_known(value, cause):
    prometheus = Prometheus()
    if value is None:
        del prometheus.answers["ok"]
    else:
        prometheus.answers["ok"] = value
    async with asking(prometheus.handle) as on:
        found = await on.telemetry(WEB, "successRatePercent")
    assert found.success_rate_percent is None
    assert cause in found.told["successRatePercent"]


async def test_one_that_is_down_is_not_known_and_another_is_not_asked_in_its_place():
    async with serving(Prometheus().handle) as address:
        pass
    async with scene(prometheus={"address": address}) as on:
        found = await on.telemetry(MODEL, "p99LatencyMs")
    assert found.p99_latency_ms is None
    assert f"not known: {address}: no connection" in found.told["p99LatencyMs"]


async def test_one_that_hangs_costs_one_wait_and_is_asked_again_later():
    prometheus = Prometheus()
    prometheus.go_on.clear()
    async with asking(prometheus.handle, timeout="1s") as on:
        found = await on.telemetry(WEB, "p99LatencyMs")
        assert "no answer within" in found.told["p99LatencyMs"]
        # The clock of the test stands still, so the wait did not show there.
        on.time += 6
        prometheus.go_on.set()
        assert (await on.telemetry(WEB, "p99LatencyMs")).p99_latency_ms == 120.0


async def test_while_one_lets_wait_nobody_else_waits_for_it():
    prometheus = Prometheus()
    prometheus.go_on.clear()
    loop = asyncio.get_running_loop()
    async with asking(prometheus.handle, timeout="1s") as on:
        on.clock = loop.time  # type: ignore[method-assign]
        asks = PrometheusLevels(
            read_secret=on.secret, namespace=lambda: "", clock=loop.time, now=lambda: datetime.now(UTC)
        )
        first = await asks.level("p99LatencyMs", WEB, on.settings)
        others = [TargetKey("Deployment", "shop", str(number)) for number in range(50)]
        rest = await asyncio.gather(*(asks.level("p99LatencyMs", each, on.settings) for each in others))
        await asks.close()
    assert prometheus.asked == ["p99 of web"]
    assert {each.told for each in (first, *rest)} == {first.told}


async def test_a_kind_without_a_query_is_not_known_and_nobody_is_asked():
    prometheus = Prometheus()
    async with serving(prometheus.handle) as address, scene(prometheus={"address": address}) as on:
        found = await on.telemetry()
    assert "has no query for it" in found.told["uptimePercent"]
    async with scene() as on:
        assert (await on.telemetry()).told.keys() == LEVELS
    assert prometheus.asked == []


# ---------------------------------------------------------------------------------------------- the operator itself


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    folder = tmp_path_factory.mktemp("model")
    config = tabular("size age speed", "Gaming Browsing Video", threshold=0.9, revision="aaaa1111")
    running = ModelServer(lay_out(folder, graphs.linear_classifier(3, 3), config))
    try:
        running.says("ready")
        yield running
    finally:
        running.kill()


class Pod:
    """A pod's address where the metrics of a real server are told, and how often it was asked."""

    def __init__(self, address: str) -> None:
        self.address, self.asked = address, 0

    def raw(self, *, ready_for: float = 3600.0) -> Manifest:
        since = rfc3339(datetime.now(UTC) - timedelta(seconds=ready_for))
        labels = {"app.kubernetes.io/component": "server"}
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": since}
        return {
            "metadata": {"name": self.address, "uid": self.address, "labels": labels},
            "status": {"podIP": self.address, "conditions": [ready]},
        }


@asynccontextmanager
async def pod_of(server: ModelServer) -> AsyncIterator[Pod]:
    import aiohttp

    pod = Pod(f"127.78.{random.randrange(1, 250)}.{random.randrange(1, 250)}")

    async def handle(_: web.Request) -> web.Response:
        pod.asked += 1
        url = f"http://127.0.0.1:{server.ports['metrics']}/metrics"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return web.Response(text=await answer.text())

    application = web.Application()
    application.add_routes([web.get("/metrics", handle)])
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, pod.address, 9090).start()
        yield pod
    finally:
        await runner.cleanup()


def predict(server: ModelServer, times: int, *, good: bool = True) -> None:
    body = {"instances": [{"size": 9.0, "age": 0.0, "speed": 0.0}]} if good else {"instances": [{"size": "large"}]}
    for _ in range(times):
        status, _, _ = server.ask("/v1/predict", body)
        assert (status == 200) is good


def a_model(on: Scene, *, labels: dict[str, str] | None = None, available: str = "True") -> Manifest:
    now = rfc3339(datetime.now(UTC))
    condition = {"type": "Available", "status": available, "reason": "x", "lastTransitionTime": now}
    metadata = {"name": "demo", "namespace": "models", "uid": f"uid of {MODEL}", "labels": labels or {}}
    raw = {"metadata": metadata, "status": {"stable": {"revision": "a"}, "conditions": [condition]}}
    on.looks.seen(Key("models", "demo"), raw)
    return raw


async def test_a_model_is_measured_by_what_its_pods_count_from_when_somebody_looked(server):
    await asyncio.to_thread(predict, server, 80)
    async with pod_of(server) as pod, scene() as on:
        pods = (pod.raw(),)
        first = await on.telemetry(MODEL, "p99LatencyMs", "successRatePercent", pods=pods)
        assert (first.p99_latency_ms, first.success_rate_percent) == (None, None)
        assert "of 0 requests since" in first.told["p99LatencyMs"]
        await asyncio.to_thread(predict, server, 90)
        await asyncio.to_thread(predict, server, 10, good=False)
        on.time += 6
        then = await on.telemetry(MODEL, "p99LatencyMs", "successRatePercent", pods=pods)
        assert then.success_rate_percent == 100.0, "a client's mistake is not the server's"
        assert then.p99_latency_ms is not None
        assert 0 < then.p99_latency_ms < 5000
        assert "of 100 requests since" in then.told["successRatePercent"]
        assert pod.asked == 2, "one look for both figures"
        on.time += 3600
        late = await on.telemetry(MODEL, "p99LatencyMs", pods=())
        assert late.p99_latency_ms is None, "what was counted an hour ago is over"


async def test_by_itself_it_looks_at_whom_policies_judge_and_at_nobody_else(server):
    async with pod_of(server) as pod, scene() as on:
        on.pods["demo"] = [pod.raw()]
        a_model(on, labels={"tier": "gold"})
        for others in (
            (),
            (policy(rule("Quota", maxReplicas=3)),),
            (policy(rule("SLA", minUptimePercent=99)),),
            (policy(SLO, selector={"namespaces": ["elsewhere"]}),),
            (policy(SLO, selector={"labels": {"tier": "silver"}}),),
            (policy(SLO, suspend=True),),
        ):
            on.policies = others
            assert await on.looks.once() == 0
        assert pod.asked == 0
        on.policies = (policy(SLO, selector={"verbs": ["drain"], "labels": {"tier": "gold"}}),)
        assert await on.looks.once() == 1
        assert pod.asked == 1
        on.settings = ServiceLevels.model_validate({"prometheus": {"address": "http://127.0.0.1:9"}})
        assert await on.looks.once() == 0, "a Prometheus is asked when it is needed"
        assert pod.asked == 1


async def test_it_looks_soon_after_a_policy_came_and_only_while_it_leads(server):
    async with pod_of(server) as pod, scene() as on:
        on.pods["demo"] = [pod.raw()]
        a_model(on)
        elected = asyncio.Event()
        running = asyncio.create_task(on.looks.run(elected))

        async def looked() -> bool:
            return pod.asked == 1

        try:
            on.policies = (policy(SLO),)
            on.looks.policies_changed()
            await asyncio.sleep(0)
            assert pod.asked == 0
            elected.set()
            await eventually(looked)
        finally:
            running.cancel()
            await asyncio.wait([running])


async def test_pods_that_do_not_answer_are_left_out(server):
    async with pod_of(server) as pod, scene() as on:
        silent = {**Pod("127.79.1.1").raw(), "metadata": {**Pod("127.79.1.1").raw()["metadata"], "uid": "silent"}}
        assert (
            "of 0 requests"
            in (await on.telemetry(MODEL, "p99LatencyMs", pods=(silent, pod.raw()))).told["p99LatencyMs"]
        )
        await asyncio.to_thread(predict, server, 60)
        on.time += 6
        found = await on.telemetry(MODEL, "p99LatencyMs", pods=(silent, pod.raw()))
        assert found.p99_latency_ms is not None
    async with scene() as on:
        found = await on.telemetry(MODEL, "p99LatencyMs", pods=(silent,))
        assert "no pod tells its metrics" in found.told["p99LatencyMs"]


async def test_uptime_is_known_from_when_a_pod_was_ready_and_a_new_leader_begins_anew():
    async with scene() as on:
        assert "has not seen it yet" in (await on.telemetry(MODEL, "uptimePercent")).told["uptimePercent"]
        on.time += 6
        a_model(on)
        on.time += 6
        found = await on.telemetry(MODEL, "uptimePercent")
        assert found.uptime_percent is None
        assert "10 m are needed" in found.told["uptimePercent"]
        on.time += 6
        found = await on.telemetry(MODEL, "uptimePercent", pods=(Pod("10.0.0.1").raw(ready_for=1800),))
        assert found.uptime_percent == 100.0
        assert "(30m" in found.told["uptimePercent"]
    async with scene() as another:
        a_model(another, available="False")
        another.time += 1200
        assert (await another.telemetry(MODEL, "uptimePercent")).uptime_percent == 0.0


async def test_of_a_model_that_is_gone_nothing_is_kept():
    async with scene() as on:
        a_model(on)
        on.looks.seen(Key("models", "demo"), None)
        assert "has not seen it yet" in (await on.telemetry(MODEL, "uptimePercent")).told["uptimePercent"]
