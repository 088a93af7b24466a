"""A model under requests while a version of it is delivered: how it is asked for, where it stands, what was lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from demo.load import Load, Tally
from tests.e2e.world import MODEL, Raw, World

BY_SERVICE = (f"kept={MODEL}:8080", f"fresh={MODEL}:8080", f"rpc={MODEL}:8081")
"""Clients that keep a connection, make one each time, and speak gRPC."""
OF_MODEL = f"sentinel.dev/name={MODEL}"


def delivered(world: World, rollout: Raw, *, version: str) -> Raw:
    """Gives the model with two pods and a way for its versions."""
    raw = world.model(version=version, replicas=2)
    raw["spec"]["rollout"] = rollout
    return raw


@contextmanager
def under_requests(world: World, model: Raw) -> Iterator[Load]:
    """Has a model serve, and clients ask it, until the end of the block."""
    world.apply(model)
    world.await_ready()
    load = Load(world.cluster, world.namespace, MODEL, BY_SERVICE)
    load.start()
    yield load
    load.stop()


def rollout(world: World) -> dict[str, Any]:
    """Gives where the delivery stands."""
    found: dict[str, Any] = world.get("sentrymodel", MODEL)["status"].get("rollout", {})
    return found


def replicas(world: World) -> dict[str, int]:
    """Gives the pods that are asked for, by version, without the versions that have none."""
    found = world.list("deployments", OF_MODEL)
    asked = {each["metadata"]["annotations"]["sentinel.dev/version"]: each["spec"]["replicas"] for each in found}
    return {version: number for version, number in asked.items() if number}


def pods(world: World) -> list[Raw]:
    """Gives the model's pods, without those that go."""
    return [pod for pod in world.list("pods", OF_MODEL) if "deletionTimestamp" not in pod["metadata"]]


def pod_names(world: World) -> set[str]:
    """Names them."""
    return {pod["metadata"]["name"] for pod in pods(world)}


def lossless(load: Load, before: Tally) -> Tally:
    """Gives what was answered since, of which nothing may have failed."""
    during = load.tally().since(before)
    assert during.failures == ()
    assert during.failed == 0
    return during
