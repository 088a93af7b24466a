"""How one version follows another: by a surge at a time, beside an autoscaler, back again, and with memory lost."""

from __future__ import annotations

import pytest

from sentinel_operator.api.serving import ExitCode
from tests.support.builders import DIGEST_2, a_model
from tests.support.simulation import World
from tests.unit.core.sentrymodel.scenes import serving, v


def scales_until_rest(world: World) -> list[dict[str, int]]:
    """What the Deployments ask for after each pass."""
    seen = [world.replicas()]
    for _ in range(50):
        acted = world.pass_once()
        if world.replicas() != seen[-1]:
            seen.append(world.replicas())
        acted += world.deployments_act() + world.kubelets_act() + world.services_act()
        if not acted:
            return seen
    raise AssertionError(seen)


def test_pods_are_replaced_one_surge_at_a_time():
    world = serving(v(1).with_replicas(2))
    world.edit(v(2).with_replicas(2))
    assert scales_until_rest(world) == [
        {"1.0.0": 2},
        {"1.0.0": 2, "2.0.0": 1},
        {"1.0.0": 1, "2.0.0": 1},
        {"1.0.0": 1, "2.0.0": 2},
        {"2.0.0": 2},
    ]


def test_in_place_replacement_makes_room_first():
    in_place = {"maxSurge": 0, "maxUnavailable": 1}
    world = serving(v(1).with_replicas(2).with_rollout(**in_place))
    world.edit(v(2).with_replicas(2).with_rollout(**in_place))
    steps = scales_until_rest(world)
    assert steps[1] == {"1.0.0": 1}
    assert steps[-1] == {"2.0.0": 2}
    assert max(sum(step.values()) for step in steps) == 2


def test_a_failed_version_that_replaces_in_place_gives_back_the_place():
    in_place = {"maxSurge": 0, "maxUnavailable": 1}
    world = serving(v(1).with_replicas(3).with_rollout(**in_place))
    world.fate = lambda version: ExitCode.DigestMismatch if version == "2.0.0" else None
    world.edit(v(2).with_replicas(3).with_rollout(**in_place))
    world.settle()
    assert world.replicas() == {"1.0.0": 3}
    assert world.condition("Ready")["reason"] == "RevisionRejected"
    assert world.ready() == 3


def test_a_version_that_never_gets_ready_takes_nothing_and_does_not_keep_nodes_from_draining():
    world = serving(v(1).with_replicas(3))
    world.fate = lambda version: ExitCode.NotFound if version == "2.0.0" else None
    world.edit(v(2).with_replicas(3))
    world.settle()
    assert world.replicas() == {"1.0.0": 3, "2.0.0": 1}
    selector = world.objects["PodDisruptionBudget", "fraud"]["spec"]["selector"]
    failed = world.status["canary"]["revision"]
    assert selector["matchExpressions"] == [{"key": "sentinel.dev/revision", "operator": "NotIn", "values": [failed]}]


def test_replicas_services_and_budgets_make_no_new_revision():
    world = serving(v(1).with_replicas(2))
    revision = world.status["stable"]["revision"]
    changed = (
        v(1)
        .with_replicas(4)
        .with_spec(
            service={"type": "NodePort"},
            disruption={"minAvailable": 1},
            rollout={"maxSurge": 2},
            model={"metadata": {"a": "b"}},
        )
    )
    world.edit(changed)
    world.settle()
    assert world.status["stable"]["revision"] == revision
    assert world.replicas() == {"1.0.0": 4}


@pytest.mark.parametrize(
    "change",
    [
        {"model": {"version": "1.0.1"}},
        {"model": {"digest": DIGEST_2}},
        {"schema": {"threshold": 0.5}},
        {"runtime": {"threads": 2}},
        {"pod": {"annotations": {"restarted-at": "today"}}},
        {"labels": {"team": "risk"}},
        {"access": {"rateLimit": {"requestsPerSecond": 5}}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_a_pod_runs_or_shows_makes_a_new_revision(change):
    world = serving(a_model())
    before = world.status["stable"]["revision"]
    world.edit(a_model().with_spec(**change))
    world.settle()
    assert world.status["stable"]["revision"] != before


def test_new_default_images_make_a_new_revision_and_pinned_ones_do_not():
    for model, moved in ((a_model(), True), (a_model().with_spec(runtime={"image": "mine:1"}), False)):
        world = serving(model)
        before = world.status["stable"]["revision"]
        world.config = world.config.model_copy(
            update={"images": world.config.images.model_copy(update={"model_server": "sentinel.dev/model-server:next"})}
        )
        world.settle()
        assert (world.status["stable"]["revision"] != before) is moved


def test_going_back_takes_up_the_former_revision_again():
    world = serving(v(1).with_replicas(2))
    first = world.status["stable"]["revision"]
    uid = world.objects["Deployment", f"fraud-{first}"]["metadata"]["uid"]
    world.edit(v(2).with_replicas(2))
    world.settle()
    world.edit(v(1).with_replicas(2))
    world.settle()
    assert world.status["stable"]["revision"] == first
    assert world.objects["Deployment", f"fraud-{first}"]["metadata"]["uid"] == uid
    verdicts = {each["version"]: each["verdict"] for each in world.status["revisions"]}
    assert verdicts == {"1.0.0": "Promoted", "2.0.0": "Promoted"}


def test_a_version_that_is_overtaken_makes_way_at_once():
    world = serving(v(1).with_replicas(3))
    world.fate = lambda version: ExitCode.StorageUnreachable if version == "2.0.0" else None
    world.edit(v(2).with_replicas(3))
    world.settle()
    world.edit(v(3).with_replicas(3))
    world.settle()
    assert world.replicas() == {"3.0.0": 3}
    verdicts = {each["version"]: each["verdict"] for each in world.status["revisions"]}
    assert verdicts == {"1.0.0": "Promoted", "2.0.0": "Superseded", "3.0.0": "Promoted"}


def test_asking_for_a_failed_version_once_more_is_a_new_attempt():
    world = serving(v(1).with_replicas(1))
    world.fate = lambda version: ExitCode.NotFound if version == "2.0.0" else None
    world.edit(v(2).with_replicas(1))
    world.settle()
    world.edit(v(1).with_replicas(1))
    world.settle()
    assert world.condition("Ready")["status"] == "True"
    assert {each["version"]: each["verdict"] for each in world.status["revisions"]}["2.0.0"] == "Failed"
    world.edit(v(2).with_replicas(1))
    world.pass_once()
    assert world.condition("Ready")["reason"] == "Progressing"


def test_a_first_version_that_fails_makes_way_for_one_that_works():
    world = World.of(v(1).with_replicas(3), fate=lambda version: ExitCode.NotFound if version == "1.0.0" else None)
    world.settle()
    assert "stable" not in world.status
    world.edit(v(2).with_replicas(3))
    world.settle()
    assert world.replicas() == {"2.0.0": 3}


def test_after_zero_the_proven_version_comes_back_beside_an_unproven_one():
    world = serving(v(1).with_replicas(3))
    world.edit(v(1).with_replicas(0))
    world.settle()
    world.fate = lambda version: ExitCode.NotFound if version == "2.0.0" else None
    world.edit(v(2).with_replicas(0))
    world.settle()
    assert world.replicas() == {}
    assert world.condition("Ready")["reason"] == "ScaledToZero"
    assert world.status["stable"]["version"] == "1.0.0"
    world.edit(v(2).with_replicas(3))
    world.settle()
    assert world.replicas() == {"1.0.0": 3, "2.0.0": 1}


def test_a_lost_status_is_derived_from_what_runs():
    world = serving(v(1).with_replicas(3))
    world.fate = lambda version: ExitCode.NotFound if version == "2.0.0" else None
    world.edit(v(2).with_replicas(3))
    world.settle()
    before = world.status
    world.lose_status()
    world.settle()
    assert world.status["stable"] == before["stable"]
    assert world.status["canary"] == before["canary"]
    assert world.replicas() == {"1.0.0": 3, "2.0.0": 1}


def halfway() -> World:
    """Two pods of the former version serve, and one of the new one."""
    world = serving(v(1).with_replicas(3))
    world.edit(v(2).with_replicas(3))
    for _ in range(50):
        if world.replicas() == {"1.0.0": 2, "2.0.0": 2}:
            break
        world.pass_once()
        world.deployments_act()
        world.kubelets_act()
        world.services_act()
    assert world.replicas() == {"1.0.0": 2, "2.0.0": 2}
    return world


def test_with_the_status_lost_halfway_the_revision_with_most_ready_pods_is_the_stable_one():
    world = halfway()
    world.break_version("2.0.0", 1)
    world.lose_status()
    world.pass_once()
    assert world.status["stable"]["version"] == "1.0.0"
    assert world.status["canary"]["version"] == "2.0.0"


def test_what_comes_gives_back_before_what_serves_grows_again():
    world = halfway()
    world.break_version("2.0.0", 2)
    names = {world.status[each]["revision"]: world.status[each]["version"] for each in ("stable", "canary")}
    steps = [(names[step.ref.name.removeprefix("fraud-")], step.replicas) for step in world.plan().scale]
    assert steps == [("2.0.0", 1), ("1.0.0", 3)]


def test_a_deployment_removed_by_hand_is_made_again():
    world = serving(v(1).with_replicas(2))
    name = f"fraud-{world.status['stable']['revision']}"
    del world.objects["Deployment", name]
    world.settle()
    assert world.replicas() == {"1.0.0": 2}


def test_if_what_served_is_removed_by_hand_what_comes_gets_everything():
    world = serving(v(1).with_replicas(3))
    former = world.status["stable"]["revision"]
    world.edit(v(2).with_replicas(3))
    world.pass_once()
    del world.objects["Deployment", f"fraud-{former}"]
    world.settle()
    assert world.replicas() == {"2.0.0": 3}
