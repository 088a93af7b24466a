"""Worlds that several tests start from."""

from __future__ import annotations

from tests.support.builders import DIGEST_2, ModelBuilder, a_model, a_pod
from tests.support.simulation import World

STORE = {"credentialsSecretRef": {"name": "object-store"}}
AUTHORITIES = [{"name": "ml-release", "key": {"secretRef": {"name": "ml-release", "key": "signing.pub"}}}]


def signed_model() -> ModelBuilder:
    return a_model().with_spec(model={"source": {"objectStore": STORE}, "verify": {"authorities": AUTHORITIES}})


def first_revision(model: ModelBuilder, arrange) -> World:
    """A model whose first revision has one pod, in a state of our choice."""
    world = World.of(model)
    world.pass_once()
    world.deployments_act()
    return with_pods(world, arrange)


def with_pods(world: World, arrange) -> World:
    for pod in world.pods:
        if not pod.ready:
            pod.builder = arrange(a_pod(pod.builder.deployment, pod.builder.name))
            pod.ready = pod.builder.conditions.get("Ready", {}).get("status") == "True"
    world.services_act()
    world.pass_once()
    return world


def summary(world: World) -> tuple[str, str, str, str]:
    conditions = [world.condition(each)["status"] for each in ("Ready", "Reconciling", "Stalled")]
    return world.condition("Ready")["reason"], *conditions


def served(replicas: int = 3) -> World:
    world = World.of(a_model().with_replicas(replicas))
    world.settle()
    return world


def new_version(world: World, arrange) -> World:
    world.edit(a_model().with_replicas(3).with_version("2.0.0", DIGEST_2))
    while not world.deployments_act():
        world.pass_once()
    return with_pods(world, arrange)


def v(number: int) -> ModelBuilder:
    return a_model().with_version(f"{number}.0.0")


def serving(model: ModelBuilder, **more) -> World:
    world = World.of(model, **more)
    world.settle()
    return world


GATEWAY = {"provider": "Gateway", "gateway": {"parentRefs": [{"name": "public"}]}}


def full() -> World:
    world = World.of(a_model().with_autoscaling(2, 4).with_spec(routing=GATEWAY))
    world.settle()
    return world


def kinds(world: World) -> set[str]:
    return {kind for kind, _ in world.objects} - {"EndpointSlice"}


def observed(world: World):
    children = tuple(world.objects[key] for key in sorted(world.objects))
    pods = tuple(pod.builder.raw for pod in world.pods)
    return world.reconciler.observe(world.model, children, pods, {}, world.config, world.now)
