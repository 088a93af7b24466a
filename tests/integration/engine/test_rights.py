"""The operator works under the roles that are generated for it, and under no more."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import pytest
import yaml

from sentinel_operator.api.kinds import SENTINEL_CONFIG
from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.crdgen.definition import definition
from sentinel_operator.crdgen.roles import certificate_roles, operator_roles
from sentinel_operator.engine.resources import CRDS, Resource
from tests.support.eventually import eventually
from tests.support.replica import Replica, settings
from tests.support.toy import TOY, ToyReconciler
from tests.support.toyworld import World

pytestmark = pytest.mark.integration

_RBAC = "rbac.authorization.k8s.io/v1"
RBAC = {
    "ClusterRole": Resource(_RBAC, "ClusterRole", "clusterroles", namespaced=False),
    "ClusterRoleBinding": Resource(_RBAC, "ClusterRoleBinding", "clusterrolebindings", namespaced=False),
    "Role": Resource(_RBAC, "Role", "roles"),
    "RoleBinding": Resource(_RBAC, "RoleBinding", "rolebindings"),
}
ACCOUNTS = Resource("v1", "ServiceAccount", "serviceaccounts")
CONFIGS = Resource.of_kind(SENTINEL_CONFIG)


async def account(world: World, tmp_path: Path) -> Path:
    """Makes the operator's ServiceAccount with its roles, and a kubeconfig with its token."""
    chosen = settings(world.kubeconfig, world.namespace)
    name = {"namespace": world.namespace, "name": "sentinel-operator"}
    await world.api.apply(ACCOUNTS, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": name})
    declared = operator_roles(ToyReconciler.children, [TOY, SENTINEL_CONFIG], chosen)
    for role in (*declared, *certificate_roles(chosen)):
        await world.api.apply(RBAC[role["kind"]], renamed(role, world.namespace))
    await eventually(functools.partial(in_force, world))
    ref = ObjectRef("v1", "ServiceAccount", world.namespace, "sentinel-operator")
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = await world.api.create_under(ACCOUNTS, ref, "token", request)
    config = yaml.safe_load(world.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token["status"]["token"]}
    written = tmp_path / "kubeconfig"
    written.write_text(json.dumps(config))
    return written


async def in_force(world: World) -> bool:
    """Tells whether the authorizer has taken notice of the last of the roles."""
    asked = {"verb": "get", "resource": "secrets", "name": "sentinel-webhook-tls", "namespace": world.namespace}
    user = f"system:serviceaccount:{world.namespace}:sentinel-operator"
    return await world.api.subject_access_review({"user": user, "resourceAttributes": asked})


def renamed(role: Manifest, suffix: str) -> Manifest:
    """Keeps cluster-wide roles of tests that run side by side apart."""
    if role["kind"] not in {"ClusterRole", "ClusterRoleBinding"}:
        return role
    name = f"{role['metadata']['name']}-{suffix}"
    reference = {"roleRef": {**role["roleRef"], "name": name}} if "roleRef" in role else {}
    return {**role, "metadata": {**role["metadata"], "name": name}, **reference}


async def forbidden(replica: Replica) -> dict[str, float]:
    """Gives the requests that were refused for want of rights."""
    assert replica.app is not None
    assert replica.app.runtime is not None
    return {
        str(sample.labels): sample.value
        for metric in replica.app.runtime.metrics.registry.collect()
        for sample in metric.samples
        if sample.name == "sentinel_controller_api_requests_total" and sample.labels["code"] == "403"
    }


async def test_all_it_does_is_allowed_by_the_generated_roles(world: World, tmp_path: Path) -> None:
    await world.api.apply(CRDS, definition(SENTINEL_CONFIG))
    kubeconfig = await account(world, tmp_path)
    replica = await world.replica_as(kubeconfig, validate=True, webhook=True, webhook_configuration="sentinel-operator")
    await world.make("bear", palette="none")
    children = await world.settled("bear")
    await world.delete(children["Service", "bear"])
    await world.make("bear", color="blue", replicas=2)
    await world.settled("bear", color="blue")
    await replica.resync("Toy")
    assert await forbidden(replica) == {}
    assert replica.metric("events_dropped_total", reason="failed") == 0
    assert await replica.stop() == 0


async def test_a_change_of_the_sentinel_config_reaches_every_object(world: World) -> None:
    await world.api.apply(CRDS, definition(SENTINEL_CONFIG))
    await world.replica(await world.proxy())
    for name in ("bear", "doll"):
        await world.make(name)
        await world.settled(name)
    config = {"apiVersion": CONFIGS.api_version, "kind": CONFIGS.kind, "metadata": {"name": "default"}}
    try:

        async def written() -> bool:
            spec = {"clusterId": world.namespace}
            return bool(await world.api.apply(CONFIGS, {**config, "spec": spec}, field_manager="user"))

        await eventually(written)

        async def reached() -> bool:
            toys = [await world.toy(name) for name in ("bear", "doll")]
            return [each["status"].get("cluster") for each in toys] == [world.namespace] * 2

        await eventually(reached)
    finally:
        await world.api.delete(CONFIGS, ObjectRef.of(config))
