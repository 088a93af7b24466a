"""Revisions that come to pods that are there: hot swap, shadow, and Auto, as far as the operator has a part in them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sentinel_operator.api.active import ActiveConfig
from sentinel_operator.core.outside import Outside
from sentinel_operator.core.swapreport import Held, SwapReport
from tests.support.builders import ModelBuilder
from tests.support.simulation import NOW, World, follows
from tests.unit.core.sentrymodel.scenes import serving, v


def swapping(number: int, *, strategy: str = "HotSwap", replicas: int = 2, **more: Any) -> ModelBuilder:
    return v(number).with_replicas(replicas).with_rollout(strategy=strategy, **more)


def told(world: World, revision: str) -> ActiveConfig:
    """What the pods of a revision's Deployment are told."""
    return ActiveConfig.model_validate_json(
        world.objects["ConfigMap", f"fraud-{revision}-active"]["data"]["active.json"]
    )


def pods_follow(world: World, **held: Any) -> bool:
    """Has every ready pod do what its ConfigMap says, and say so; `held` is what it says of a candidate. Tells whether
    anything is new."""
    found: dict[str, SwapReport] = {}
    for pod in world.pods:
        config_map = world.objects.get(("ConfigMap", f"fraud-{pod.revision}-active"))
        if not pod.ready or config_map is None:
            continue
        wanted = ActiveConfig.model_validate_json(config_map["data"]["active.json"])
        states = {each.serving.revision: Held(state="Ready", digest="sha256:swapped") for each in wanted.revisions}
        if wanted.candidate:
            states[wanted.candidate] = replace(states[wanted.candidate], **{"verdict": "Pass", "inputs": 100, **held})
        before = world.outside.reports.get(pod.builder.raw["metadata"]["uid"])
        refused = wanted.active in states and states[wanted.active].state != "Ready"
        active = before.active if refused and before else wanted.active
        found[pod.builder.raw["metadata"]["uid"]] = SwapReport(serial=wanted.serial, active=active, held=states)
    news = found != world.outside.reports
    world.outside = Outside(reports=found, spare=world.outside.spare)
    return news


def settle(world: World, **held: Any) -> World:
    """Lets the cluster and the pods act until nothing happens any more."""
    for _ in range(60):
        world.settle()
        if not pods_follow(world, **held):
            if world.next_pass is None and (world.plan().requeue_after or 1e9) > 60:
                return world
            world.wait(5)
    raise AssertionError(world.condition("Ready"))


def swapped(**held: Any) -> tuple[World, str, str]:
    """A model whose second version was swapped into the pods of the first."""
    world = settle(serving(swapping(1)))
    first = world.status["stable"]["revision"]
    world.edit(swapping(2))
    settle(world, **held)
    return world, first, world.status["stable"]["revision"]


def test_a_swap_makes_no_pod_and_ends_with_the_new_revision_in_the_old_pods():
    pods = serving(swapping(1)).pods
    world, first, second = swapped()
    assert (world.status["stable"]["version"], second != first) == ("2.0.0", True)
    assert {kind for kind, name in world.objects if name == f"fraud-{second}"} == {"ConfigMap"}
    assert {pod.builder.name for pod in world.pods} == {pod.builder.name for pod in pods}
    assert world.replicas() == {"1.0.0": 2}
    assert world.status["rollout"]["host"] == first
    assert world.condition("Ready")["status"] == "True"
    assert world.status["stable"]["readyReplicas"] == 2
    assert world.objects["Service", "fraud"]["spec"]["selector"]["sentinel.dev/revision"] == first
    final = told(world, first)
    assert (final.active, final.candidate) == (second, None)
    assert [each.serving.revision for each in final.revisions] == [second]


def test_what_was_swapped_in_is_verified_by_what_the_pods_say_of_it():
    world, _, _ = swapped()
    assert world.status["verification"]["digest"] == "sha256:swapped"


def test_the_way_of_a_swap_keeps_the_old_model_loaded_until_it_is_over():
    world = settle(serving(swapping(1, hotSwap={"replay": 50, "keepFor": "1h", "minLabelAgreement": 0.9})))
    first = world.status["stable"]["revision"]
    assert (told(world, first).replay, told(world, first).parity) == (50, None)
    world.edit(swapping(2, hotSwap={"replay": 50, "keepFor": "1h", "minLabelAgreement": 0.9}))
    world.settle()
    second, loading = world.status["rollout"]["candidate"], told(world, first)
    assert (loading.active, loading.candidate) == (first, second)
    assert loading.parity is not None
    assert (loading.parity.min_label_agreement, loading.parity.min_inputs) == (0.9, 20)
    serial = loading.serial
    for _ in range(5):
        pods_follow(world)
        world.settle()
    kept = told(world, first)
    assert (kept.active, kept.candidate) == (second, None)
    assert {each.serving.revision for each in kept.revisions} == {first, second}
    assert kept.serial > serial
    assert world.status["rollout"]["weight"] == 100


def test_a_pass_that_changes_nothing_counts_no_new_serial():
    world, first, _ = swapped()
    before = told(world, first).serial
    assert world.pass_once() == 0
    assert told(world, first).serial == before


@pytest.mark.parametrize(
    ("held", "words"),
    [
        ({"verdict": "Fail", "inputs": 100, "agreement": 0.71, "difference": 0.4}, "the same label in 71.0%"),
        ({"state": "Failed", "reason": "SchemaMismatch", "verdict": "Inconclusive"}, "SchemaMismatch"),
        ({"state": "Failed", "reason": "Crashed", "verdict": "Inconclusive"}, "Crashed"),
    ],
    ids=["disagrees", "does not fit", "crashes"],
)
def test_a_revision_that_pods_refuse_is_rejected_and_never_answers(held: dict[str, Any], words: str):
    world = settle(serving(swapping(1)))
    first = world.status["stable"]["revision"]
    world.edit(swapping(2))
    settle(world, **held)
    assert world.status["stable"]["revision"] == first
    ready = world.condition("Ready")
    assert (ready["reason"], world.condition("Stalled")["status"]) == ("RevisionRejected", "True")
    assert words in ready["message"]
    final = told(world, first)
    assert [each.serving.revision for each in final.revisions] == [first]


def test_storage_that_is_down_is_waited_for_and_rejects_nothing():
    world = settle(serving(swapping(1)))
    world.edit(swapping(2))
    world.settle()
    pods_follow(world, state="Failed", reason="StorageUnreachable", verdict="Inconclusive")
    world.settle()
    assert world.status["rollout"]["phase"] == "Progressing"
    assert "StorageUnreachable" in world.condition("Ready")["message"]


def test_too_few_inputs_to_compare_are_told():
    world = settle(serving(swapping(1)))
    world.edit(swapping(2))
    world.settle()
    pods_follow(world, verdict="Inconclusive", inputs=3)
    world.settle()
    assert "has compared 3 inputs of at least 20" in world.condition("Ready")["message"]


def test_pods_that_have_not_read_the_last_instruction_prove_nothing():
    world = settle(serving(swapping(1)))
    first = world.status["stable"]["revision"]
    world.edit(swapping(2))
    world.settle()
    second = world.status["rollout"]["candidate"]
    stale = SwapReport(serial=told(world, first).serial - 1, active=second, held={second: Held(state="Ready")})
    world.outside = Outside(reports={pod.builder.raw["metadata"]["uid"]: stale for pod in world.pods})
    world.settle()
    assert (world.status["rollout"]["step"], told(world, first).active) == (0, first)


def test_after_a_swap_the_next_one_goes_into_the_same_pods_and_so_does_the_way_back():
    world, first, second = swapped()
    world.edit(swapping(3))
    settle(world)
    assert world.status["stable"]["version"] == "3.0.0"
    assert world.status["rollout"]["host"] == first
    world.edit(swapping(1))
    settle(world)
    assert world.status["stable"]["revision"] == first
    assert world.status["rollout"].get("host", "") == ""
    assert world.replicas() == {"1.0.0": 2}
    assert second not in {each.serving.revision for each in told(world, first).revisions}


def test_what_running_pods_cannot_take_over_is_not_swapped():
    world = settle(serving(swapping(1)))
    world.edit(swapping(2).with_spec(pod={"env": [{"name": "MODE", "value": "other"}]}))
    world.settle()
    ready = world.condition("Ready")
    assert (ready["reason"], world.condition("Stalled")["status"]) == ("HotSwapImpossible", "True")
    assert "differs in more than what running pods can load" in ready["message"]
    assert world.replicas() == {"1.0.0": 2}


def test_to_choose_hot_swap_is_no_new_revision_and_the_pods_learn_to_follow():
    world = serving(swapping(1, strategy="Canary"))
    first = world.status["stable"]["revision"]
    assert not follows(world.objects["Deployment", f"fraud-{first}"])
    assert ("Role", "fraud") not in world.objects
    world.edit(swapping(1))
    world.settle()
    assert world.status["stable"]["revision"] == first
    assert follows(world.objects["Deployment", f"fraud-{first}"])


def test_pods_that_follow_may_read_their_own_config_map_and_nothing_else():
    world, first, second = swapped()
    (rule,) = world.objects["Role", "fraud"]["rules"]
    assert (rule["apiGroups"], rule["resources"], rule["verbs"]) == ([""], ["configmaps"], ["list", "watch"])
    assert {f"fraud-{first}-active"} <= {*rule["resourceNames"]} <= {f"fraud-{first}-active", f"fraud-{second}-active"}
    (subject,) = world.objects["RoleBinding", "fraud"]["subjects"]
    assert subject == {"kind": "ServiceAccount", "name": "fraud", "namespace": "team-a"}
    template = world.objects["Deployment", f"fraud-{first}"]["spec"]["template"]["spec"]
    token = {
        each["name"] for each in template["containers"] for mount in each["volumeMounts"] if mount["name"] == "token"
    }
    assert token == {"follow"}
    assert template["automountServiceAccountToken"] is False


def test_rights_and_tellers_go_when_no_pod_follows_any_more():
    world = settle(serving(swapping(1)))
    world.edit(swapping(1, strategy="Canary"))
    settle(world)
    assert ("Role", "fraud") not in world.objects
    assert ("RoleBinding", "fraud") not in world.objects


def test_after_a_swap_a_canary_comes_beside_the_hosting_pods_and_takes_over_from_them():
    world, first, _ = swapped()
    steps = [{"setWeight": 50}, {"pause": {"duration": "5s"}}]
    world.edit(swapping(3, strategy="Canary", canary={"steps": steps}))
    settle(world)
    assert world.status["stable"]["version"] == "3.0.0"
    assert world.status["rollout"].get("host", "") == ""
    assert world.replicas() == {"3.0.0": 2}
    assert first not in {pod.revision for pod in world.pods}


@pytest.mark.parametrize(("spare", "strategy"), [(True, "Canary"), (False, "HotSwap"), (None, "Canary")])
def test_auto_swaps_where_no_further_pod_would_find_room(spare: bool | None, strategy: str):
    world = settle(serving(swapping(1, strategy="Auto")))
    world.outside = Outside(reports=world.outside.reports, spare=spare)
    world.edit(swapping(2, strategy="Auto"))
    for _ in range(3):
        world.pass_once()
    assert world.status["rollout"]["strategy"] == strategy


def test_a_shadow_gets_copies_through_a_service_of_its_own_and_answers_nobody():
    shadow = {"percent": 20, "duration": "5s"}
    world = settle(serving(swapping(1, strategy="Shadow", shadow=shadow)))
    first = world.status["stable"]["revision"]
    world.edit(swapping(2, strategy="Shadow", shadow=shadow))
    world.settle()
    second = world.status["rollout"]["candidate"]
    mirror = told(world, first).shadow
    assert mirror is not None
    assert (mirror.revision, mirror.percent) == (second, 20)
    assert mirror.urls == ("http://fraud-preview.team-a.svc:8080",)
    assert world.objects["Service", "fraud-preview"]["spec"]["selector"]["sentinel.dev/revision"] == second
    assert world.objects["Service", "fraud"]["spec"]["selector"]["sentinel.dev/revision"] == first
    assert ("ConfigMap", f"fraud-{second}-active") not in world.objects


def test_the_mirror_ends_with_the_shadow():
    shadow = {"percent": 20, "duration": "5s"}
    world = settle(serving(swapping(1, strategy="Shadow", shadow=shadow)))
    first = world.status["stable"]["revision"]
    world.edit(swapping(2, strategy="Shadow", shadow=shadow))
    world.settle()
    candidate = world.status["rollout"]["candidate"]
    world.edit(swapping(2, strategy="Shadow", shadow=shadow, abort=candidate))
    settle(world)
    assert told(world, first).shadow is None
    assert ("Service", "fraud-preview") not in world.objects


def test_two_shadows_after_another_leave_the_second_serving_its_own():
    shadow = {"percent": 20, "duration": "5s"}
    world = settle(serving(swapping(1, strategy="Shadow", shadow=shadow)))
    world.edit(swapping(2, strategy="Shadow", shadow=shadow))
    world.settle()
    word = {"revision": world.status["rollout"]["candidate"], "attempt": 1, "full": True}
    world.edit(swapping(2, strategy="Shadow", shadow=shadow, promote=word))
    settle(world)
    second = world.status["stable"]["revision"]
    assert world.status["stable"]["version"] == "2.0.0"
    assert told(world, second).active == second


def test_the_end_of_a_swap_is_waited_for_though_moments_are_remembered_in_whole_seconds():
    brief = {"replay": 0, "keepFor": "1s"}
    world = settle(serving(swapping(1, hotSwap=brief), now=NOW + timedelta(milliseconds=400)))
    world.edit(swapping(2, hotSwap=brief))
    seen = []
    for _ in range(12):
        world.pass_once()
        pods_follow(world)
        if world.status["rollout"].get("step") == 2:
            seen.append(world.plan().requeue_after)
            break
    assert seen
    assert 0 < seen[0] <= 1


def test_the_way_back_leads_to_a_revision_that_never_had_pods_of_its_own():
    world, first, second = swapped()
    world.edit(swapping(3))
    settle(world)
    third = world.status["stable"]["revision"]
    assert ("ConfigMap", f"fraud-{second}") in world.objects
    world.edit(swapping(3, rollbackTo={"revision": second, "insteadOf": third}))
    settle(world)
    assert world.status["stable"]["revision"] == second
    assert (told(world, first).active, world.replicas()) == (second, {"1.0.0": 2})
    assert world.condition("Ready")["status"] == "True"


def test_what_was_swapped_in_is_kept_no_longer_than_the_history():
    world, _, second = swapped()
    for number in (3, 4):
        world.edit(swapping(number, revisionHistoryLimit=1))
        settle(world)
    assert ("ConfigMap", f"fraud-{second}") not in world.objects
