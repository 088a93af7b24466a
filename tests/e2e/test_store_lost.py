"""A store that cannot be reached holds up who needs it, nobody else, and only as long as it is away."""

from __future__ import annotations

import json
from dataclasses import dataclass

from demo import objectstore
from demo.load import Load
from tests.e2e.world import MODEL, Raw, World, condition, eventually

STORE_PORT = 8333


@dataclass(frozen=True, slots=True)
class Road:
    """A Service of the test before the store: closed, the store is lost to those who go by it, and to nobody else."""

    world: World
    name: str = "road"

    @property
    def endpoint(self) -> str:
        """Gives the address that models name."""
        return f"http://{self.name}.{self.world.namespace}.svc:{STORE_PORT}"

    def make(self) -> None:
        """Makes it, closed."""
        ports = [{"name": "s3", "port": STORE_PORT}]
        metadata = {"name": self.name}
        self.world.apply({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": ports}})

    def open(self) -> None:
        """Leads to the store."""
        kubectl, namespace = self.world.cluster.kubectl, f"--namespace={objectstore.NAMESPACE}"
        pods = json.loads(kubectl("get", "pods", namespace, "-l", "app.kubernetes.io/name=seaweedfs", "-o", "json"))
        addresses = [pod["status"]["podIP"] for pod in pods["items"]]
        road = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": self.name, "labels": {"kubernetes.io/service-name": self.name}},
            "addressType": "IPv4",
            "ports": [{"name": "s3", "port": STORE_PORT}],
            "endpoints": [{"addresses": addresses, "conditions": {"ready": True}}],
        }
        self.world.apply(road)

    def close(self) -> None:
        """Leads nowhere: connections are refused."""
        self.world.kubectl("delete", "endpointslice", self.name)


def test_a_store_that_is_away_holds_up_new_pods_only_and_until_it_is_back(world: World) -> None:
    road = Road(world)
    road.make()
    road.open()
    serving, starting = _model(world, road, name=MODEL), _model(world, road, name="starting")
    world.apply(serving)
    world.await_ready()
    load = Load(world.cluster, world.namespace, MODEL, (f"kept={MODEL}:8080", f"fresh={MODEL}:8080"))
    load.start()

    road.close()
    before = load.tally()
    world.apply(starting)
    world.kubectl("scale", f"sentrymodel/{MODEL}", "--replicas=2")
    for name in (MODEL, "starting"):
        waiting = world.await_ready(name, status="False", reason="StorageUnreachable", within=180)
        told = condition(waiting, "Ready")["message"]
        assert told.startswith("spec.model.source"), told
        assert condition(waiting, "Stalled").get("status") != "True", "it passes by itself"
    one = world.get("sentrymodel", MODEL)
    assert one["status"]["readyReplicas"] == 1
    assert condition(one, "Available")["status"] == "True"
    meanwhile = load.tally().since(before)
    assert meanwhile.failures == ()
    assert set(meanwhile.clients) == set(load.clients)

    road.open()
    assert world.await_ready()["status"]["readyReplicas"] == 2
    world.await_ready("starting")
    eventually(lambda: load.tally().since(before).versions, within=30)
    assert load.tally().since(before).failures == ()


def _model(world: World, road: Road, *, name: str) -> Raw:
    raw = world.model(name)
    raw["spec"]["model"]["source"]["objectStore"]["endpoint"] = road.endpoint
    return raw
