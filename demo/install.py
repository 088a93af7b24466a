"""The operator and the object store in the cluster, ready to be used."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo import objectstore
from demo.portforward import port_forward
from devcluster import images
from devcluster.cluster import Cluster
from devcluster.errors import DevclusterError
from devcluster.paths import REPOSITORY
from devcluster.providers import AnyCluster, Kind
from devcluster.served import await_served

NAMESPACE = "sentinel-demo"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Store:
    """The credentials of the demo's object store."""

    writer: objectstore.Credentials
    reader: objectstore.Credentials


@dataclass(frozen=True, slots=True)
class Nodes:
    """Where things may stay, and what may be emptied."""

    with_store: str
    to_drain: str | None
    """Another one; None where there is none, or where the cluster is not the demo's own."""

    @classmethod
    def of(cls, cluster: AnyCluster) -> Nodes:
        """Finds them."""
        where = (f"--namespace={objectstore.NAMESPACE}", "--output=jsonpath={.items[0].spec.nodeName}")
        with_store = cluster.kubectl("get", "pods", "--selector=app.kubernetes.io/name=seaweedfs", *where)
        names = cluster.kubectl("get", "nodes", "--output=jsonpath={.items[*].metadata.name}").split()
        others = [name for name in names if name != with_store] if isinstance(cluster, (Cluster, Kind)) else []
        return cls(with_store, next(iter(others), None))


NEEDED = ("operator", "fetch", "model-server", "scan", "seaweedfs")
"""Images of the demo."""


def bring_images(cluster: AnyCluster, say: Say, *, names: Sequence[str] = ()) -> None:
    """Builds those images (all, where none is named) that are not in the cache, and brings them to the nodes."""
    for image in images.named(names):
        archive = images.build(image, say)
        cluster.load(archive, image=image.reference)
        say(f"{image.reference} ({archive.stat().st_size / 1e6:.0f} MB)")


def install_operator(cluster: AnyCluster) -> None:
    """Applies CRDs and the operator, and waits until both replicas are ready."""
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(REPOSITORY / "crds"))
    kinds = ("sentrymodels", "scanjobs", "sentinelconfigs", "actionplans", "actionpolicies")
    await_served(cluster.kubectl, *(f"/apis/sentinel.dev/v1alpha1/{kind}" for kind in kinds))
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(REPOSITORY / "manifests/overlays/dev"))
    roll_out(cluster, "deployment/sentinel-operator", namespace="sentinel-system")


def install_store(cluster: AnyCluster) -> Store:
    """Deploys the object store and waits until it is ready; one that is there keeps its credentials and its data."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": objectstore.NAMESPACE}}
    cluster.apply([namespace])
    found = cluster.kubectl(
        "get", "secret/seaweedfs", f"--namespace={objectstore.NAMESPACE}", "--ignore-not-found", "--output=json"
    )
    if found.strip():
        writer, reader = objectstore.read_server_secret(json.loads(found))
    else:
        writer, reader = objectstore.Credentials.generate(), objectstore.Credentials.generate()
        cluster.apply([objectstore.server_secret(writer=writer, reader=reader)])
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(objectstore.MANIFEST))
    roll_out(cluster, "deployment/seaweedfs", namespace=objectstore.NAMESPACE)
    return Store(writer, reader)


@contextlib.contextmanager
def store_forwarded(cluster: AnyCluster) -> Iterator[str]:
    """Gives an address of the store on this machine, while it is used."""
    with port_forward(
        cluster.kubectl_command, namespace=objectstore.NAMESPACE, target="svc/seaweedfs", ports=[8333]
    ) as ports:
        yield f"http://127.0.0.1:{ports[0]}"


def make_namespace(cluster: AnyCluster, *, store: Store, public_key: Path) -> None:
    """Makes the demo's namespace with what the examples name: read credentials and the trusted public key."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}}
    signing = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "model-signing", "namespace": NAMESPACE},
        "stringData": {"signing.pub": public_key.read_text()},
    }
    cluster.apply([namespace, objectstore.client_secret(NAMESPACE, store.reader), signing])


def roll_out(cluster: AnyCluster, target: str, *, namespace: str) -> None:
    """Waits until a Deployment is rolled out; raises DevclusterError with the state of its pods when it is not."""
    try:
        cluster.kubectl("rollout", "status", target, f"--namespace={namespace}", "--timeout=120s", timeout=150.0)
    except DevclusterError as error:
        pods = cluster.kubectl("get", "pods", f"--namespace={namespace}", "-o", "wide")
        events = cluster.kubectl("get", "events", f"--namespace={namespace}", "--sort-by=.lastTimestamp")
        raise DevclusterError(f"{error}\n{pods}\n{events[-3000:]}") from error


def await_condition(
    cluster: AnyCluster, model: str, *, status: str, reasons: tuple[str, ...] = (), timeout: float = 180.0
) -> dict[str, Any]:
    """Waits until the model's Ready has the status (and one of the reasons) for its generation; gives the object."""
    deadline = time.monotonic() + timeout
    while True:
        found: dict[str, Any] = json.loads(
            cluster.kubectl("get", "sentrymodel", model, f"--namespace={NAMESPACE}", "-o", "json")
        )
        ready = ready_of(found)
        current = ready.get("observedGeneration") == found["metadata"]["generation"]
        if current and ready["status"] == status and (not reasons or ready["reason"] in reasons):
            return found
        if time.monotonic() > deadline:
            said = f"{ready.get('status')} {ready.get('reason')}: {ready.get('message')}"
            raise DevclusterError(f"SentryModel {model} is not what was waited for after {timeout:.0f} s: Ready={said}")
        time.sleep(0.5)


def ready_of(item: dict[str, Any]) -> dict[str, Any]:
    """Gives the condition Ready, empty when there is none yet."""
    return next((one for one in item.get("status", {}).get("conditions", ()) if one["type"] == "Ready"), {})
