from __future__ import annotations

from typing import Any

import pytest
import yaml

from sentinel_operator.core.plan import Manifest, ObjectRef
from tests.integration.cli.world import MODELS, World
from tests.support.faultproxy import Fault, FaultProxy, Seen

pytestmark = pytest.mark.integration


async def test_promote_names_what_the_status_names_and_the_next_one_replaces_it(world: World) -> None:
    await world.model("fraud", "canary-paused")
    done = await world.run("promote", "fraud")
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith("(2.0.0) goes on past step 1 (pause until promoted).\n")
    raw = await _live(world)
    candidate = raw["status"]["rollout"]["candidate"]
    assert raw["spec"]["rollout"]["promote"] == {"revision": candidate, "attempt": 1, "step": 1, "full": False}
    written = next(each for each in raw["metadata"]["managedFields"] if each["manager"] == "kubectl-sentinel")
    assert set(written["fieldsV1"]["f:spec"]["f:rollout"]) == {"f:promote"}

    assert (await world.run("promote", "sm/fraud", "--full")).code == 0
    assert (await _rollout(world))["promote"] == {"revision": candidate, "attempt": 1, "full": True}
    again = await world.run("promote", "fraud", "--full")
    assert (again.code, again.out) == (0, "sentrymodel/fraud: spec.rollout.promote says so already.\n")
    assert (await world.run("undo", "fraud")).code == 0
    assert "promote" not in await _rollout(world)


async def test_each_verb_is_taken_by_the_api_server_and_what_it_replaces_goes(world: World) -> None:
    raw = await world.model("fraud", "canary-paused")
    candidate, stable = (raw["status"]["rollout"][each] for each in ("candidate", "stable"))

    assert (await world.run("pause", "fraud")).code == 0
    assert (await _rollout(world))["paused"] == candidate
    refused = await world.run("promote", "fraud")
    assert refused.code == 1
    assert refused.err.startswith("error: spec.rollout.paused is set and in force: take it back first")
    assert (await world.run("resume", "fraud")).code == 0
    assert "paused" not in await _rollout(world)

    assert (await world.run("abort", "fraud")).code == 0
    assert (await _rollout(world))["abort"] == candidate
    await world.status("fraud", "canary-aborted")
    assert (await world.run("retry", "fraud")).code == 0
    after = await _rollout(world)
    assert ("abort" in after, after["retry"]) == (False, {"revision": candidate, "attempt": 2})

    await world.status("fraud", "canary-paused")
    assert (await world.run("rollback", "fraud", stable)).code == 0
    after = await _rollout(world)
    assert ("retry" in after, after["rollbackTo"]) == (False, {"revision": stable, "insteadOf": candidate})


async def test_a_dry_run_prints_the_patch_and_writes_nothing(world: World) -> None:
    raw = await world.model("fraud", "canary-paused")
    done = await world.run("abort", "fraud", "--dry-run")
    assert done.code == 0
    assert yaml.safe_load(done.out) == {"spec": {"rollout": {"abort": raw["status"]["rollout"]["candidate"]}}}
    assert "nothing was written; it would mean: all requests go back to" in done.err
    assert await _live(world) == raw


async def test_what_git_owns_is_printed_to_be_committed_and_only_force_writes_it(world: World) -> None:
    raw = await world.model("fraud", "canary-paused")
    owned = {"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": "models:sentinel.dev/SentryModel:a/fraud"}}}
    ref = ObjectRef(MODELS.api_version, MODELS.kind, world.namespace, "fraud")
    before = await world.api.patch(MODELS, ref, owned)
    done = await world.run("promote", "fraud")
    assert done.code == 1
    assert "is kept by Argo CD (annotation argocd.argoproj.io/tracking-id) as Git has it" in done.err
    word = {"revision": raw["status"]["rollout"]["candidate"], "attempt": 1, "step": 1}
    assert yaml.safe_load(done.out) == {"spec": {"rollout": {"promote": word}}}
    assert await _live(world) == before
    assert (await world.run("promote", "fraud", "--force")).code == 0
    assert (await _rollout(world))["promote"]["step"] == 1


async def test_where_there_is_nothing_to_say_the_answer_is_no(world: World) -> None:
    await world.model("fraud", "ready")
    for verb in ("promote", "abort", "pause", "resume", "retry", "undo"):
        done = await world.run(verb, "fraud")
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith(f"error: nothing to {verb}: "), done.err
    unknown = await world.run("rollback", "fraud", "0badcafe")
    assert unknown.err.startswith("error: there is no revision '0badcafe'; the history has: ")
    assert (await world.run("promote", "nobody")).err.startswith("error: sentrymodel/nobody is not there")
    assert (await world.run("promote", "scfg/default")).code == 2


async def test_a_status_that_moves_on_meanwhile_is_read_again(world: World) -> None:
    await world.model("fraud", "canary-paused")
    async with FaultProxy.open(world.kubeconfig) as proxy:
        proxy.inject(Fault(_patches, times=1, status=409))
        done = await world.run("promote", "fraud", kubeconfig=proxy.kubeconfig())
    assert (done.code, done.err) == (0, "")
    assert (await _rollout(world))["promote"]["step"] == 1


async def test_describe_and_watch_draw_the_rollout(world: World) -> None:
    await world.model("fraud", "canary")
    described = await world.run("describe", "sm/fraud")
    assert described.code == 1
    assert "  ▸   1   analysis               1 beside 4 pods        for " in described.out
    assert "error-rate    Running   0.00212   0.001875   1 good" in described.out
    watched = await world.run("watch", "sm/fraud", "--timeout", "2s")
    assert watched.code == 0
    assert "Ready=False Progressing 5/4 1.0.0 → 2.0.0 20%: revision be758d0f, step 1 of 7 (analysis)" in watched.out


def _patches(seen: Seen) -> bool:
    return seen.method == "PATCH"


async def _live(world: World) -> Manifest:
    return await world.api.get(MODELS, world.namespace, "fraud")


async def _rollout(world: World) -> dict[str, Any]:
    found: dict[str, Any] = (await _live(world))["spec"]["rollout"]
    return found
