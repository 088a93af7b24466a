"""On the real API server: every transition of a plan reaches the sink, in order, whoever dies in between."""

from __future__ import annotations

import base64
import logging
import os
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster.cluster import Cluster
from sentinel_operator.api.kinds import SENTINEL_CONFIG
from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.engine.resources import SECRETS
from tests.integration.crds.client import Kubectl
from tests.integration.fetch.https_server import server_context
from tests.support.eventsink import EventSink, event_sink, free_port
from tests.support.eventually import eventually
from tests.support.faultproxy import writes
from tests.support.plansworld import CONFIGS, PLANS, Plans, decision, opened
from tests.support.replica import SHORT_LEASE, Replica
from tests.support.toyworld import World

pytestmark = pytest.mark.integration
MANIFESTS = Path(__file__).parents[3] / "manifests"
SCALE = decision("scale", params={"replicas": 3})
DONE = ["Pending", "Validating", "Approved", "Scheduled", "Executing", "Completed"]
WRONG = {"metrics": [{"name": "right", "prometheus": {"address": "http://127.0.0.1:9/", "query": "up"}, "max": 1}]}


@pytest.fixture
async def plans(world: World) -> AsyncIterator[Plans]:
    async with opened(world) as made:
        yield made


@pytest.fixture
async def sink() -> AsyncIterator[EventSink]:
    async with event_sink() as made:
        yield made


@pytest.fixture
def https(tmp_path: Path) -> tuple[ssl.SSLContext, str]:
    context, ca = server_context(tmp_path)
    return context, ca.read_text()


async def told_to(plans: Plans, url: str, **more: Any) -> None:
    """Names the sink, whether or not an operator is there to take it in."""
    settings = {"endpoint": url, **more}
    spec = {"operatorNamespace": plans.namespace, "clusterId": "edge 7", "cloudEvents": settings}
    raw = {
        "apiVersion": SENTINEL_CONFIG.api_version,
        "kind": SENTINEL_CONFIG.kind,
        "metadata": {"name": "default"},
        "spec": spec,
    }
    await plans.api.apply(CONFIGS, raw, field_manager="user")


async def arrives(plans: Plans, sink: EventSink, name: str, *states: str) -> Manifest:
    """Waits until the sink has taken the states, and the plan says so; gives its status."""
    subject = f"{plans.namespace}/{name}"

    async def all_told() -> Manifest:
        status = (await plans.raw(name)).get("status") or {}
        assert sink.states(subject) == list(states), status.get("message")
        assert status.get("published") == len(states), status.get("published")
        return dict(status)

    return await eventually(all_told)


def count(replica: Replica, result: str) -> float:
    assert replica.app is not None
    assert replica.app.runtime is not None
    registry = replica.app.runtime.metrics.registry
    return registry.get_sample_value("sentinel_cloudevents_total", {"result": result}) or 0.0


def pending(replica: Replica) -> float | None:
    assert replica.app is not None
    assert replica.app.runtime is not None
    return replica.app.runtime.metrics.registry.get_sample_value("sentinel_cloudevents_pending")


async def test_every_transition_of_a_completed_plan_arrives_once_in_order_and_is_logged(
    plans: Plans, sink: EventSink, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="sentinel_operator.engine.cloudevents.log")
    await plans.deployment()
    await told_to(plans, sink.url)
    replica, _ = await plans.replica(), await plans.replica()
    await plans.submit("grow", SCALE, correlationId="incident 4711")
    status = await arrives(plans, sink, "grow", *DONE)
    events = [each for each in sink.taken if each["subject"] == f"{plans.namespace}/grow"]
    uid = (await plans.raw("grow"))["metadata"]["uid"]
    assert [each["id"] for each in events] == [f"{uid}-{number}" for number in range(1, 7)], "each once"
    assert [each["state"] for each in status["history"]] == DONE
    assert [each["at"] for each in status["history"]] == [f"{each['time']:%Y-%m-%dT%H:%M:%SZ}" for each in events]
    last = events[-1]
    assert (last["type"], last["source"]) == (
        "dev.sentinel.actionplan.completed",
        "/clusters/edge%207/sentinel-operator",
    )
    assert last["data"]["planId"] == "grow"
    assert (last["data"]["correlationId"], last["data"]["requestedBy"]) == ("incident 4711", "alice")
    assert [(each["id"], each["state"]) for each in last["data"]["decisions"]] == [("scale-it", "Done")]
    logged = [each for record in caplog.records if (each := getattr(record, "cloudevent", None))]
    assert [(each["id"], each["data"]) for each in logged if each["subject"] == last["subject"]] == [
        (each["id"], each["data"]) for each in events
    ]
    assert "publishRefused" not in status
    assert pending(replica) == 0.0


async def test_a_rejected_plan_and_one_that_is_taken_back_are_told_of_too(plans: Plans, sink: EventSink) -> None:
    await plans.deployment()
    await plans.replica()
    await told_to(plans, sink.url)
    await plans.submit("nowhere", decision("restart", "another"))
    await arrives(plans, sink, "nowhere", "Pending", "Validating", "Rejected")
    assert "another" in sink.of(f"{plans.namespace}/nowhere")[-1]["data"]["message"]
    await plans.submit("wrong", SCALE, verify={**WRONG, "timeout": "10s"}, onFailure="Rollback")
    await arrives(plans, sink, "wrong", *DONE[:-1], "Verifying", "RollingBack", "RolledBack")
    assert [each["data"].get("from") for each in sink.of(f"{plans.namespace}/wrong")] == [
        None, *DONE[:-1], "Verifying", "RollingBack"
    ]  # fmt: skip


async def test_without_a_sink_nothing_is_written_for_it_and_with_one_a_single_write_a_plan(
    plans: Plans, sink: EventSink
) -> None:
    await plans.deployment(replicas=0)
    proxy = await plans.world.proxy()
    await plans.replica(proxy.kubeconfig())

    async def restarted(name: str) -> int:
        before = len([each for each in proxy.log if writes(each)])
        await plans.submit(name, decision("restart"))
        await plans.reaches(name, "Completed")
        if name != "untold":
            await arrives(plans, sink, name, *DONE)
        about = [each for each in proxy.log if writes(each) and f"/{name}/status" in each.path]
        assert len([each for each in proxy.log if writes(each)]) - before >= len(about)
        return len(about)

    untold = await restarted("untold")
    status = (await plans.raw("untold"))["status"]
    assert ([each["state"] for each in status["history"]], "published" in status) == (DONE, False)
    await told_to(plans, sink.url)
    await arrives(plans, sink, "untold", *DONE)
    assert await restarted("told") == untold + 1


async def test_what_came_to_pass_while_the_sink_was_away_arrives_when_it_is_back(plans: Plans) -> None:
    port = free_port()
    await plans.deployment()
    await told_to(plans, f"http://localhost:{port}/events")
    replica = await plans.replica()
    names = [f"plan-{number}" for number in range(5)]
    for each in names:
        await plans.submit(each, decision("restart"), mode="DryRun")
        await plans.reaches(each, "Completed")

    async def noticed() -> bool:
        return count(replica, "failed") >= 2 and pending(replica) == 15.0

    await eventually(noticed)
    async with event_sink(port=port) as sink:
        for each in names:
            await arrives(plans, sink, each, "Pending", "Validating", "Completed")
        assert len(sink.asked) == len({each["id"] for each in sink.asked}) == 15
    assert (count(replica, "delivered"), count(replica, "lost")) == (15.0, 0.0)


async def test_what_the_leader_had_written_and_not_told_the_next_one_tells(plans: Plans, sink: EventSink) -> None:
    await plans.deployment()
    await told_to(plans, sink.url)
    sink.open.clear()
    leader = await plans.replica(**SHORT_LEASE)
    await plans.submit("grow", SCALE)
    await plans.reaches("grow", "Completed")
    assert sink.asked, "it is asking, and gets no answer"
    assert sink.taken == []
    await leader.kill()
    sink.open.set()
    await plans.replica(**SHORT_LEASE)
    await arrives(plans, sink, "grow", *DONE)


@pytest.mark.parametrize("number", [3, 6, 9])
async def test_wherever_the_leader_dies_nothing_is_lost(plans: Plans, sink: EventSink, number: int) -> None:
    await plans.deployment()
    await told_to(plans, sink.url)
    proxy = await plans.world.proxy()
    proxy.die_at_write(number)
    leader = await plans.replica(proxy.kubeconfig(), **SHORT_LEASE)
    await plans.submit("again", decision("restart"))

    async def dead_or_done() -> bool:
        status = (await plans.raw("again")).get("status") or {}
        return proxy.dead.is_set() or status.get("published") == len(DONE)

    await eventually(dead_or_done)
    await leader.kill()
    await plans.replica(**SHORT_LEASE)
    await arrives(plans, sink, "again", *DONE)


async def test_what_the_sink_refuses_is_counted_and_the_rest_goes_on(plans: Plans, sink: EventSink) -> None:
    await plans.deployment()
    await told_to(plans, sink.url)
    sink.answer = lambda event: 400 if event["data"]["state"] == "Approved" else 200
    replica = await plans.replica()
    await plans.submit("grow", SCALE)
    await plans.reaches("grow", "Completed")

    async def marked() -> Manifest | None:
        status = (await plans.raw("grow"))["status"]
        return dict(status) if status.get("published") == len(DONE) else None

    status = await eventually(marked)
    assert status is not None
    assert status["publishRefused"] == 1
    assert sink.states(f"{plans.namespace}/grow") == [each for each in DONE if each != "Approved"]
    assert (count(replica, "refused"), count(replica, "delivered")) == (1.0, 5.0)


async def test_a_sink_that_is_overloaded_or_does_not_know_the_sender_is_asked_again(
    plans: Plans, sink: EventSink
) -> None:
    await plans.deployment()
    await told_to(plans, sink.url)
    answers = iter([429, 503, 401, 307])
    sink.answer = lambda _: next(answers, 202)
    replica = await plans.replica()
    await plans.submit("grow", SCALE, mode="Shadow")
    await arrives(plans, sink, "grow", "Pending", "Validating", "Completed")
    assert (count(replica, "failed"), count(replica, "refused")) == (4.0, 0.0)


@pytest.mark.parametrize("kept", ["caBundle", "caSecretRef"])
async def test_the_token_and_the_ca_are_those_of_the_secret(
    plans: Plans, https: tuple[ssl.SSLContext, str], kept: str, caplog: pytest.LogCaptureFixture
) -> None:
    context, ca = https
    await plans.deployment()
    replica = await plans.replica()
    async with event_sink(context=context) as sink:
        given = {"caBundle": ca} if kept == "caBundle" else {"caSecretRef": {"name": "sink", "key": "ca.crt"}}
        await told_to(plans, sink.url, tokenSecretRef={"name": "sink", "key": "token"}, **given)
        await plans.submit("grow", SCALE, mode="DryRun")
        await plans.reaches("grow", "Completed")

        async def says(words: str) -> bool:
            return words in caplog.text

        await eventually(lambda: says("Secret " + plans.namespace + "/sink does not exist"))
        values = {"token": "s3cr3t-0f-the-sink\n", "ca.crt": ca}
        labels = {"sentinel.dev/cloudevents": "true"}
        raw: Manifest = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "sink", "namespace": plans.namespace},
            "data": {name: base64.b64encode(value.encode()).decode() for name, value in values.items()},
        }
        await plans.api.create(SECRETS, raw)
        await eventually(lambda: says('it does not bear the label sentinel.dev/cloudevents: "true"'))
        assert sink.asked == []
        await plans.api.patch(SECRETS, ObjectRef.of(raw), {"metadata": {"labels": labels}})
        await arrives(plans, sink, "grow", "Pending", "Validating", "Completed")
        assert sink.tokens == {"Bearer s3cr3t-0f-the-sink"}
    assert "s3cr3t" not in caplog.text
    assert count(replica, "delivered") == 3.0


async def test_a_sink_under_another_ca_is_told_nothing(plans: Plans, https: tuple[ssl.SSLContext, str]) -> None:
    await plans.deployment()
    replica = await plans.replica()
    async with event_sink(context=https[0]) as sink:
        await told_to(plans, sink.url)
        await plans.submit("grow", SCALE, mode="DryRun")

        async def failed() -> bool:
            return count(replica, "failed") > 0

        await eventually(failed)
        assert sink.asked == []


async def test_a_plan_that_is_deleted_is_told_of_to_its_end_by_the_leader_that_saw_it(
    plans: Plans, sink: EventSink
) -> None:
    await plans.deployment()
    await told_to(plans, sink.url)
    sink.answer = lambda _: 503
    await plans.replica()
    made = await plans.submit("grow", SCALE, mode="DryRun")
    await plans.reaches("grow", "Completed")
    await plans.api.delete(PLANS, ObjectRef.of(made))

    async def gone() -> bool:
        return await plans.api.find(PLANS, plans.namespace, "grow") is None

    await eventually(gone)
    sink.answer = lambda _: 202

    async def told() -> bool:
        return sink.states(f"{plans.namespace}/grow") == ["Pending", "Validating", "Completed"]

    await eventually(told)


async def test_the_component_lets_the_operator_read_that_one_secret_of_its_namespace(
    plans: Plans, api_server: Cluster, tmp_path: Path
) -> None:
    kubectl = Kubectl(tuple(api_server.kubectl_command))
    kubectl.run("apply", "--server-side", "--force-conflicts", "-f", str(MANIFESTS / "base" / "namespace.yaml"))
    _component(tmp_path)
    account = "system:serviceaccount:sentinel-system:sentinel-operator"

    async def may(verb: str, name: str = "sentinel-cloudevents", namespace: str = "sentinel-system") -> bool:
        asked = {"resource": "secrets", "verb": verb, "name": name, "namespace": namespace}
        return await plans.api.subject_access_review({"user": account, "resourceAttributes": asked})

    kubectl.run("apply", "--server-side", "-k", str(tmp_path))
    try:
        await eventually(lambda: may("get"))
        assert not any([await may("get", "other"), await may("list"), await may("get", namespace=plans.namespace)])
    finally:
        kubectl.run("delete", "-k", str(tmp_path))


def _component(folder: Path) -> None:
    component = os.path.relpath(MANIFESTS / "components" / "cloudevents-secret", folder)
    (folder / "kustomization.yaml").write_text(yaml.safe_dump({"components": [component]}))
