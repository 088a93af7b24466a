"""On the real API server: gates that a rollout asks and Jobs that judge it, through restarts of the operator.

No node is there: pods become ready as a kubelet would write it, and those of Jobs end as the tests say. The Jobs' own
controller is Kubernetes'.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from sentinel_operator.api.kinds import SENTINEL_CONFIG, SENTRY_MODEL
from sentinel_operator.app import PARTS
from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.engine import runtime
from sentinel_operator.engine.gates import Asker
from sentinel_operator.engine.measure.fetch import anywhere
from sentinel_operator.engine.resources import CRDS, Resource
from tests.integration.measure.scene import serving
from tests.integration.measure.test_gates import Gatekeeper, words
from tests.support.eventually import eventually
from tests.support.readypods import POD_RESOURCE, ReadyPods
from tests.support.replica import SHORT_LEASE, Replica, settings
from tests.support.toyworld import NAMESPACES, World

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
MODELS, JOBS = Resource.of_kind(SENTRY_MODEL), Resource("batch/v1", "Job", "jobs")
QUOTAS = Resource("v1", "ResourceQuota", "resourcequotas")
PAUSE: list[Manifest] = [{"pause": {}}]
ACCEPT = {
    "name": "accept",
    "job": {"template": {"spec": {"template": {"spec": {"containers": [{"name": "accept", "image": "accept:1"}]}}}}},
}


def only(found: list[Manifest]) -> Manifest:
    """Gives the one that there is; that there is none, or more than one, may change."""
    assert len(found) == 1, found
    return found[0]


class Scene:
    """One model in a namespace."""

    def __init__(self, world: World, stack: AsyncExitStack) -> None:
        self.world, self.api, self._stack = world, world.api, stack
        self.pods = ReadyPods(world.api, world.namespace)

    async def replica(self) -> Replica:
        chosen = settings(self.world.kubeconfig, self.world.namespace, **SHORT_LEASE)
        return await self._stack.enter_async_context(Replica(chosen, PARTS))

    async def declare(self, version: str, steps: list[Manifest], **rollout: Any) -> None:
        spec = {
            "model": {"version": version, "source": {"objectStore": {"uri": f"s3://models/topics/{version}/"}}},
            "schema": {"task": "TextClassification", "labels": ["a", "b"]},
            "rollout": {"strategy": "Canary", "canary": {"steps": steps}, **rollout},
        }
        metadata = {"name": "topics", "namespace": self.world.namespace}
        manifest = {"apiVersion": SENTRY_MODEL.api_version, "kind": "SentryModel", "metadata": metadata, "spec": spec}
        await self.api.apply(MODELS, manifest, field_manager="user")

    async def raw(self) -> Manifest:
        return await self.api.get(MODELS, self.world.namespace, "topics")

    async def rollout(self) -> Manifest:
        found: Manifest = (await self.raw())["status"]["rollout"]
        return found

    async def reaches(self, step: int, reason: str, message: str = "") -> Manifest:
        """Waits until the rollout stands at a step for a reason."""

        async def look() -> Manifest:
            status = (await self.raw())["status"]
            ready = only([each for each in status["conditions"] if each["type"] == "Ready"])
            told = status["rollout"]
            assert (told["step"], ready["reason"]) == (step, reason), ready
            assert message in ready["message"]
            return dict(told)

        return await eventually(look)

    async def serves(self, version: str) -> None:
        async def look() -> bool:
            status = (await self.raw()).get("status") or {}
            assert (status.get("stable") or {}).get("version") == version, status.get("conditions")
            return "canary" not in status

        await eventually(look)

    async def begun(self, steps: list[Manifest]) -> None:
        """Has the first version serve, and declares the second."""
        await self.declare("1.0.0", steps)
        await self.serves("1.0.0")
        await self.declare("2.0.0", steps)

    async def verdict(self, wanted: str) -> Manifest:
        async def look() -> Manifest:
            records = (await self.raw())["status"]["revisions"]
            found = only([each for each in records if each["version"] == "2.0.0"])
            assert found["verdict"] == wanted
            return dict(found)

        return await eventually(look)

    async def jobs(self) -> list[Manifest]:
        return (await self.api.list(JOBS, namespace=self.world.namespace))[0]

    async def job_pod(self) -> Manifest:
        """Waits for the pod of the one Job that runs."""

        async def look() -> Manifest:
            pods, _ = await self.api.list(POD_RESOURCE, namespace=self.world.namespace)
            measuring = [each for each in pods if "sentinel.dev/measures" in each["metadata"]["labels"]]
            return only([each for each in measuring if (each.get("status") or {}).get("phase") == "Running"])

        return await eventually(look)

    async def end(self, pod: Manifest, code: int) -> None:
        """Has the container of a Job's pod end, as its kubelet would write it."""
        ended = {"exitCode": code, "reason": "Completed" if code == 0 else "Error", "containerID": "containerd://1"}
        status = {
            "name": "accept", "image": "accept:1", "imageID": "", "restartCount": 0, "ready": False,
            "state": {"terminated": ended},
        }  # fmt: skip
        metadata = {key: pod["metadata"][key] for key in ("name", "namespace", "uid")}
        told = {"phase": "Failed" if code else "Succeeded", "containerStatuses": [status]}
        manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": told}
        await self.api.apply_status(POD_RESOURCE, manifest, field_manager="container-runtime")


@asynccontextmanager
async def declared(world: World) -> AsyncIterator[Scene]:
    """A namespace at the Pod Security level `restricted` whose API server knows our kinds; its pods become ready."""
    for plural in (SENTRY_MODEL.plural, SENTINEL_CONFIG.plural):
        text = (ROOT / "crds" / f"sentinel.dev_{plural}.yaml").read_text()
        await world.api.apply(CRDS, yaml.safe_load(text))

    async def served() -> bool:
        found = {each["name"] for each in (await world.api.read_path(MODELS.base))["resources"]}
        return {SENTRY_MODEL.plural, SENTINEL_CONFIG.plural} <= found

    await eventually(served)
    level = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    await world.api.patch(NAMESPACES, ObjectRef("v1", "Namespace", "", world.namespace), level)
    async with AsyncExitStack() as stack:
        made = Scene(world, stack)
        async with made.pods.running():
            yield made
            ref = ObjectRef(SENTRY_MODEL.api_version, "SentryModel", world.namespace, "topics")
            await world.api.delete(MODELS, ref)


@pytest.fixture
async def scene(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    """Gates are on this node's own addresses, which an operator does not ask, and are asked with little patience."""
    monkeypatch.setattr(runtime, "Asker", partial(Asker, allowed=anywhere, first_pause=0.2, longest_pause=0.5))
    async with declared(world) as made:
        yield made


def gate(url: str, timeout: str = "10m") -> list[Manifest]:
    return [{"gate": {"webhook": {"url": f"{url}/ask"}, "timeout": timeout}}, *PAUSE]


async def test_a_gate_is_closed_is_asked_by_the_next_operator_and_opens(scene: Scene) -> None:
    keeper = Gatekeeper(words(423, "not on a Friday"))
    async with serving(keeper.handle) as url:
        first = await scene.replica()
        await scene.begun(gate(url))
        told = await scene.reaches(0, "WaitingForGate", "answered 423 Locked: not on a Friday")
        body = keeper.asked[0]["body"]
        assert (body["key"], body["name"], body["namespace"]) == (
            f"{told['candidate']}/0/1",
            "topics",
            scene.world.namespace,
        )
        assert (body["stable"]["version"], body["candidate"]["version"]) == ("1.0.0", "2.0.0")
        await first.kill()
        before = len(keeper.asked)
        await scene.replica()

        async def asked_again() -> bool:
            return len(keeper.asked) >= before + 2

        await eventually(asked_again)
        assert {each["body"]["key"] for each in keeper.asked} == {body["key"]}
        assert keeper.most_under_way == 1
        keeper.answers = [204]
        await scene.reaches(1, "Paused")
        after = len(keeper.asked)
        await scene.declare("2.0.0", gate(url), abort=told["candidate"])
        await scene.verdict("Aborted")
        assert len(keeper.asked) == after


async def test_a_gate_that_nobody_keeps_waits_for_a_person_who_lets_past(scene: Scene) -> None:
    async with serving(Gatekeeper(200).handle) as url:
        pass
    await scene.replica()
    await scene.begun(gate(url, timeout="3s"))
    told = await scene.reaches(0, "GateClosed", "has not opened in 3 s: no connection")
    await scene.verdict("Pending")
    word = {"revision": told["candidate"], "attempt": told["attempt"], "step": 0}
    await scene.declare("2.0.0", gate(url, timeout="3s"), promote=word)
    await scene.reaches(1, "Paused")


async def test_an_aborted_delivery_is_asked_about_no_more(scene: Scene) -> None:
    keeper, witness = Gatekeeper(403), Gatekeeper(403)
    async with serving(keeper.handle) as url:
        await scene.replica()
        await scene.begun(gate(url))
        told = await scene.reaches(0, "WaitingForGate", "answered 403 Forbidden")
        await scene.declare("2.0.0", gate(url), abort=told["candidate"])
        await scene.verdict("Aborted")
        before = len(keeper.asked)
        async with serving(witness.handle) as other:
            await scene.declare("3.0.0", gate(other))

            async def asked() -> bool:
                return len(witness.asked) >= 4

            await eventually(asked)
        assert len(keeper.asked) <= before + 1


JUDGED: list[Manifest] = [{"analysis": {"metrics": [ACCEPT]}}, *PAUSE]


async def test_a_job_that_ends_well_passes_and_a_restart_makes_no_second_one(scene: Scene) -> None:
    first = await scene.replica()
    await scene.begun(JUDGED)
    pod = await scene.job_pod()
    (job,) = await scene.jobs()
    assert job["metadata"]["ownerReferences"][0]["name"] == "topics"
    await first.kill()
    second = await scene.replica()

    async def leads() -> bool:
        return second.leads and second.metric("reconcile_total", controller="SentryModel", result="unchanged") > 0

    await eventually(leads)
    assert [each["metadata"]["uid"] for each in await scene.jobs()] == [job["metadata"]["uid"]]
    await scene.end(pod, 0)
    await scene.reaches(1, "Paused")
    assert [each["metadata"]["uid"] for each in await scene.jobs()] == [job["metadata"]["uid"]]


async def test_a_job_that_ends_badly_rejects(scene: Scene) -> None:
    await scene.replica()
    await scene.begun(JUDGED)
    await scene.end(await scene.job_pod(), 3)
    found = await scene.verdict("Rejected")
    assert "exit code 3" in found.get("message", "")


async def test_a_job_that_is_killed_or_cannot_be_made_is_never_counted_as_bad(scene: Scene) -> None:
    await scene.replica()
    await scene.declare("1.0.0", JUDGED)
    await scene.serves("1.0.0")
    metadata = {"name": "none", "namespace": scene.world.namespace}
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": metadata,
        "spec": {"hard": {"count/jobs.batch": "0"}},
    }
    made = await scene.api.create(QUOTAS, quota)

    async def in_force() -> bool:
        return bool((await scene.api.get(QUOTAS, scene.world.namespace, "none")).get("status", {}).get("hard"))

    await eventually(in_force)
    await scene.declare("2.0.0", JUDGED)

    async def metric() -> Manifest:
        analysis = (await scene.rollout()).get("analysis") or {}
        (found,) = analysis.get("metrics") or [{}]
        return dict(found)

    async def refused() -> bool:
        found = await metric()
        assert found.get("errors", 0) >= 1
        return "cannot be made: jobs.batch" in found.get("message", "") and "exceeded quota" in found.get("message", "")

    await eventually(refused)
    await scene.api.delete(QUOTAS, ObjectRef.of(made))
    await scene.end(await scene.job_pod(), 137)

    async def killed() -> bool:
        return "was killed before it ended" in (await metric()).get("message", "")

    await eventually(killed)

    await scene.end(await scene.job_pod(), 0)
    await scene.reaches(1, "Paused")
    found = await metric()
    assert (found["successes"], found.get("failures", 0)) == (1, 0)
    assert found["errors"] >= 2
