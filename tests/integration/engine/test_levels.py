"""On the real API server: plans judged by how their targets are doing, as a Prometheus or the operator itself sees."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from sentinel_operator.cli.__main__ import app
from sentinel_operator.core.conditions import rfc3339
from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.errors import ApiError
from tests.integration.measure.scene import serving
from tests.integration.measure.test_levels import Prometheus, pod_of, predict
from tests.integration.model_server.process import ModelServer, lay_out, tabular
from tests.support.eventually import eventually
from tests.support.modelsworld import model
from tests.support.plansworld import MODELS, Plans, decision, opened
from tests.support.readypods import POD_RESOURCE
from tests.support.toyworld import World
from tests.unit.model_server import graphs

pytestmark = pytest.mark.integration
UP, DOWN = (decision("scale", params={"replicas": number}) for number in (4, 1))
SLO = {"type": "SLO", "slo": {"maxP99LatencyMs": 250, "minSuccessRatePercent": 99}}
QUERIES = {"p99LatencyMs": "p99 of {{kind}}/{{namespace}}/{{name}}", "successRatePercent": "ok of {{name}}"}


@pytest.fixture
async def plans(world: World) -> AsyncIterator[Plans]:
    async with opened(world) as made:
        yield made


async def judged(plans: Plans, name: str, one: Manifest, **spec: Any) -> tuple[str, dict[str, str]]:
    """Submits a plan; gives how it ended, and what its one rule was judged by."""
    await plans.submit(name, one, **spec)
    status = await plans.reaches(name, "Completed", "Rejected")
    (entry,) = status["trace"]
    return status["state"], entry.get("inputs") or {}


async def test_a_breach_that_a_prometheus_tells_of_keeps_back_a_scale_down_and_lets_a_scale_up_through(
    plans: Plans,
) -> None:
    prometheus = Prometheus()
    prometheus.answers |= {"p99": "900", "ok": "99.9"}
    await plans.deployment()
    await plans.replica()
    async with serving(prometheus.handle) as address:
        await plans.configure(serviceLevels={"prometheus": {"address": address}, **QUERIES})
        await plans.policy("objective", SLO)
        state, inputs = await judged(plans, "shrink", DOWN)
        assert state == "Rejected"
        assert (await plans.workload())["spec"]["replicas"] == 2
        assert (inputs["p99LatencyMs"], inputs["successRatePercent"], inputs["cure"]) == ("900", "99.9", "false")
        assert inputs["latencyMeasured"].startswith(f"by {address} over 5m until 20")
        state, inputs = await judged(plans, "grow", UP)
        assert (state, inputs["cure"]) == ("Completed", "true")
        assert (await plans.workload())["spec"]["replicas"] == 4
        assert f"p99 of Deployment/{plans.namespace}/web" in prometheus.asked

        prometheus.answers["p99"] = "20"
        numbers = itertools.count()

        async def lets_it_through() -> bool:
            """What was measured is believed for a few seconds."""
            return (await judged(plans, f"again-{next(numbers)}", DOWN))[0] == "Completed"

        await eventually(lets_it_through)
        assert (await plans.workload())["spec"]["replicas"] == 1
    said = await explained(plans, "shrink")
    assert "p99LatencyMs = 900" in said
    assert f"latencyMeasured = by {address} over 5m" in said


async def explained(plans: Plans, name: str) -> str:
    words = ["explain", name, "-n", plans.namespace, "--kubeconfig", str(plans.kubeconfig)]
    done = await asyncio.to_thread(CliRunner().invoke, app, words)
    return " ".join((done.stdout + done.stderr).split())


async def test_a_prometheus_that_is_down_makes_it_unknown_and_missing_says_what_becomes_of_it(plans: Plans) -> None:
    async with serving(Prometheus().handle) as address:
        pass
    await plans.deployment()
    await plans.replica()
    await plans.configure(serviceLevels={"prometheus": {"address": address}, **QUERIES})
    await plans.policy("lenient", SLO, selector={"namespaces": [plans.namespace], "verbs": ["restart"]})
    strict = {"type": "SLO", "slo": {"maxP99LatencyMs": 250, "missing": "Reject"}}
    await plans.policy("strict", strict, selector={"namespaces": [plans.namespace], "verbs": ["scale"]})
    state, inputs = await judged(plans, "again", decision("restart"))
    assert (state, inputs["p99LatencyMs"]) == ("Completed", "unknown")
    assert inputs["latencyMeasured"].startswith(f"not known: {address}: no connection")
    assert (await judged(plans, "shrink", DOWN))[0] == "Rejected"
    assert (await judged(plans, "grow", UP))[0] == "Completed", "a cure is let through"


async def test_without_a_rule_that_asks_nobody_is_asked(plans: Plans) -> None:
    prometheus = Prometheus()
    await plans.deployment()
    await plans.replica()
    async with serving(prometheus.handle) as address:
        await plans.configure(serviceLevels={"prometheus": {"address": address}, **QUERIES})
        await plans.policy("size", {"type": "Quota", "quota": {"maxReplicas": 9}})
        await plans.policy("others", SLO, selector={"namespaces": [plans.namespace], "verbs": ["restart"]})
        await plans.submit("grow", UP)
        await plans.reaches("grow", "Completed")
        assert prometheus.asked == []
        assert (await judged_by(plans, "again", decision("restart"), "SLO"))["successRatePercent"] == "98"
        assert len(prometheus.asked) == 2


async def judged_by(plans: Plans, name: str, one: Manifest, rule: str) -> dict[str, str]:
    await plans.submit(name, one)
    status = await plans.reaches(name, "Completed", "Rejected")
    (entry,) = (each for each in status["trace"] if each["rule"] == rule)
    return dict(entry["inputs"])


async def test_a_flood_of_plans_costs_one_measurement_a_target(plans: Plans) -> None:
    prometheus = Prometheus()
    prometheus.answers |= {"p99": "20", "ok": "100"}
    targets = [f"web-{number}" for number in range(3)]
    for each in targets:
        await plans.deployment(each, replicas=0)
    await plans.replica()
    async with serving(prometheus.handle) as address:
        await plans.configure(serviceLevels={"prometheus": {"address": address}, **QUERIES})
        await plans.policy("objective", SLO)
        began = time.monotonic()
        names = {f"{target}-{number}": target for target in targets for number in range(12)}
        flood = (plans.submit(name, decision("restart", target), mode="DryRun") for name, target in names.items())
        await asyncio.gather(*flood)
        for name in names:
            await plans.reaches(name, "Completed")
        rounds = 1 + (time.monotonic() - began) / 5.0
    assert 2 * len(targets) <= len(prometheus.asked) <= 2 * len(targets) * rounds


# ---------------------------------------------------------------------------------------------- by the operator itself


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    config = tabular("size age speed", "Gaming Browsing Video", threshold=0.9, revision="aaaa1111")
    running = ModelServer(lay_out(tmp_path_factory.mktemp("model"), graphs.linear_classifier(3, 3), config))
    try:
        running.says("ready")
        yield running
    finally:
        running.kill()


class Node:
    """Stands in for the node of a model's pods: the first is where a real server tells its metrics, further ones tell
    nothing. They have been ready for an hour."""

    def __init__(self, plans: Plans, address: str) -> None:
        self._plans, self._address = plans, address
        self.ready = True
        self._since = rfc3339(datetime.now(UTC) - timedelta(hours=1))

    async def run(self) -> None:
        addresses = itertools.chain([self._address], (f"127.79.0.{number}" for number in range(1, 250)))
        while True:
            with suppress(ApiError):
                pods, _ = await self._plans.api.list(POD_RESOURCE, namespace=self._plans.namespace)
                for each in pods:
                    status = each.get("status") or {}
                    known = str(status.get("podIP") or "")
                    if not known.startswith("127."):
                        await self._write(each, next(addresses))
                    elif self.ready is not _is_ready(status):
                        await self._write(each, known)
            await asyncio.sleep(0.2)

    async def _write(self, pod: Manifest, address: str) -> None:
        metadata = {key: pod["metadata"][key] for key in ("name", "namespace", "uid")}
        said, since = ("True", self._since) if self.ready else ("False", rfc3339(datetime.now(UTC)))
        kinds = ("PodScheduled", "ContainersReady", "Ready")
        conditions = [{"type": each, "status": said, "lastTransitionTime": since} for each in kinds]
        status = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "conditions": conditions}
        manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": status}
        await self._plans.api.apply_status(POD_RESOURCE, manifest, field_manager="kubelet")


def _is_ready(status: Manifest) -> bool:
    return any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions") or ())


@asynccontextmanager
async def served(plans: Plans, address: str) -> AsyncIterator[Node]:
    """A model of two pods that serves, at its node."""
    raw = model(plans.namespace, "topics", "1.0.0")
    raw["spec"]["replicas"] = 2
    await plans.api.apply(MODELS, raw, field_manager="user")

    async def serves() -> bool:
        status = (await plans.api.get(MODELS, plans.namespace, "topics")).get("status") or {}
        return bool(status.get("readyReplicas") == 2 and status.get("stable"))

    await eventually(serves)
    plans.pods.held = True
    node = Node(plans, address)
    running = asyncio.create_task(node.run())

    async def placed() -> bool:
        pods, _ = await plans.api.list(POD_RESOURCE, namespace=plans.namespace)
        return all(str(each["status"].get("podIP")).startswith("127.") for each in pods)

    try:
        await eventually(placed)
        yield node
    finally:
        running.cancel()
        await asyncio.wait([running])


def of_model(replicas: int) -> Manifest:
    return decision("scale", "topics", kind="SentryModel", params={"replicas": replicas})


async def until(plans: Plans, name: str, one: Manifest, state: str) -> dict[str, str]:
    """Tries one plan after the other, each a dry run, until one ends so."""
    numbers = itertools.count()

    async def so() -> dict[str, str]:
        found, inputs = await judged(plans, f"{name}-{next(numbers)}", one, mode="DryRun")
        assert found == state, inputs
        return inputs

    return await eventually(so)


async def test_without_a_prometheus_a_model_is_judged_by_what_its_own_pods_count(
    plans: Plans, server: ModelServer
) -> None:
    await plans.replica()
    async with pod_of(server) as pod, served(plans, pod.address):
        assert pod.asked == 0
        await plans.policy("objective", {"type": "SLO", "slo": {"maxP99LatencyMs": 0.001}})

        async def looked() -> bool:
            return pod.asked > 0

        await eventually(looked)
        state, inputs = await judged(plans, "early", of_model(1), mode="DryRun")
        assert (state, inputs["p99LatencyMs"]) == ("Completed", "unknown"), "missing allows it"
        assert "of 0 requests since" in inputs["latencyMeasured"]
        await asyncio.to_thread(predict, server, 60)
        inputs = await until(plans, "shrink", of_model(1), "Rejected")
        assert float(inputs["p99LatencyMs"]) > 0.001
        assert "by the pods' own counts of 60 requests since" in inputs["latencyMeasured"]
        state, inputs = await judged(plans, "grow", of_model(3))
        assert (state, inputs["cure"]) == ("Completed", "true")
        raw = await plans.api.get(MODELS, plans.namespace, "topics")
        assert raw["spec"]["replicas"] == 3
    assert "latencyMeasured = by the pods' own counts of 60 requests" in await explained(plans, "grow")


async def test_uptime_is_known_to_a_new_leader_as_far_as_pods_tell_and_no_further(plans: Plans) -> None:
    first = await plans.replica()
    async with served(plans, "127.79.1.1") as node:
        await plans.policy("agreed", {"type": "SLA", "sla": {"minUptimePercent": 100, "missing": "Reject"}})
        restart = decision("restart", "topics", kind="SentryModel")
        state, inputs = await judged(plans, "early", restart, mode="DryRun")
        assert (state, inputs["uptimePercent"]) == ("Rejected", "unknown"), "it was seen since it was made"
        assert "10 m are needed" in inputs["uptimeMeasured"]
        await first.stop()
        await plans.replica()
        inputs = await until(plans, "well", restart, "Completed")
        assert inputs["uptimePercent"] == "100"
        assert "by the operator, since" in inputs["uptimeMeasured"]
        assert "(1h0m)" in inputs["uptimeMeasured"]

        node.ready = False
        inputs = await until(plans, "down", restart, "Rejected")
        assert 99 < float(inputs["uptimePercent"]) < 100
        state, _ = await judged(plans, "cure", of_model(4), mode="DryRun")
        assert state == "Completed"
