"""The number of pods is an autoscaler's, also while one version follows another."""

from __future__ import annotations

from sentinel_operator.api.serving import ExitCode
from tests.support.simulation import World
from tests.unit.core.sentrymodel.scenes import serving, v


def autoscaler_target(world: World) -> str:
    name = world.objects["HorizontalPodAutoscaler", "fraud"]["spec"]["scaleTargetRef"]["name"]
    return world.objects["Deployment", name]["metadata"]["annotations"]["sentinel.dev/version"]


def test_the_number_of_pods_is_the_autoscalers():
    world = serving(v(1).with_autoscaling(2, 8))
    assert world.replicas() == {"1.0.0": 2}
    world.settle(load=6)
    assert world.replicas() == {"1.0.0": 6}
    assert world.condition("Ready")["message"].endswith("serves with 6 pods")
    world.settle(load=3)
    assert world.replicas() == {"1.0.0": 3}


def test_beside_an_autoscaler_the_new_version_grows_whole_before_anything_is_taken():
    world = serving(v(1).with_autoscaling(2, 8))
    world.settle(load=4)
    world.edit(v(2).with_autoscaling(2, 8))
    seen: list[tuple[dict[str, int], str]] = []

    def watch(now: World) -> None:
        state = (now.replicas(), autoscaler_target(now))
        if not seen or seen[-1] != state:
            seen.append(state)

    world.watched = watch
    world.settle()
    assert [state for state in seen if state[0].get("1.0.0") != 4] == [({"2.0.0": 4}, "2.0.0")]
    assert ({"1.0.0": 4, "2.0.0": 4}, "1.0.0") in seen
    assert ({"1.0.0": 4, "2.0.0": 4}, "2.0.0") in seen
    assert world.status["stable"]["version"] == "2.0.0"


def test_beside_an_autoscaler_a_version_that_fails_costs_a_surge_and_no_more():
    world = serving(v(1).with_autoscaling(4, 8))
    world.fate = lambda version: ExitCode.NotFound if version == "2.0.0" else None
    world.edit(v(2).with_autoscaling(4, 8))
    world.settle()
    assert world.replicas() == {"1.0.0": 4, "2.0.0": 1}
    assert autoscaler_target(world) == "1.0.0"


def test_an_autoscaler_is_not_left_before_a_deployment_of_no_pods():
    world = serving(v(1).with_replicas(0))
    world.edit(v(1).with_autoscaling(2, 8))
    world.settle()
    assert world.replicas() == {"1.0.0": 2}


def test_a_deployment_that_was_switched_off_by_hand_before_its_autoscaler_is_switched_on_again():
    world = serving(v(1).with_autoscaling(2, 8))
    name = f"fraud-{world.status['stable']['revision']}"
    world.objects["Deployment", name]["spec"]["replicas"] = 0
    world.settle()
    assert world.replicas() == {"1.0.0": 2}


def test_without_an_autoscaler_again_the_number_is_what_the_spec_says():
    world = serving(v(1).with_autoscaling(4, 8))
    world.edit(v(1).with_replicas(2).with_spec(autoscaling=None))
    plan = world.plan()
    assert not plan.scale, "the autoscaler is still there"
    assert [step.ref.kind for step in plan.delete] == ["HorizontalPodAutoscaler"]
    world.settle()
    assert world.replicas() == {"1.0.0": 2}
