"""ActionPlans in a namespace of the real API server: what people declare, and whom the API server takes them for."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import yaml

from sentinel_operator.api.actionstatus import FINISHED
from sentinel_operator.api.kinds import ACTION_PLAN, ACTION_POLICY, SENTINEL_CONFIG, SENTRY_MODEL
from sentinel_operator.app import PARTS, Parts
from sentinel_operator.core.actionplan.stamps import REQUESTED_BY, written
from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.core.policy.facts import Identity
from sentinel_operator.crdgen.webhooks import mutating_configuration, webhook_configuration
from sentinel_operator.engine.access import Access, Source
from sentinel_operator.engine.kube import KubeApi
from sentinel_operator.engine.metrics import Metrics
from sentinel_operator.engine.resources import CRDS, MUTATING_WEBHOOKS, NODES, VALIDATING_WEBHOOKS, Resource
from sentinel_operator.engine.transport import Limits, Transport
from tests.support.eventually import eventually
from tests.support.readypods import POD_RESOURCE, ReadyPods
from tests.support.replica import Replica, settings
from tests.support.toyworld import World

ROOT = Path(__file__).parents[2]
PLANS, POLICIES = Resource.of_kind(ACTION_PLAN), Resource.of_kind(ACTION_POLICY)
MODELS, CONFIGS = Resource.of_kind(SENTRY_MODEL), Resource.of_kind(SENTINEL_CONFIG)
DEPLOYMENTS = Resource("apps/v1", "Deployment", "deployments")
BUDGETS = Resource("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
OURS = (SENTRY_MODEL, SENTINEL_CONFIG, ACTION_PLAN, ACTION_POLICY)
_KINDS = {each.kind for each in OURS}
SOME = Parts(
    reconcilers=[each for each in PARTS.reconcilers if each.kind.kind in _KINDS],
    validators={name: each for name, each in PARTS.validators.items() if name in _KINDS},
)
"""The operator, but for the kinds whose CRDs are not there."""
OWNER = Identity(username="alice")
_RBAC = "rbac.authorization.k8s.io/v1"
_HOOKS = (VALIDATING_WEBHOOKS, MUTATING_WEBHOOKS)


class Plans:
    """A namespace with workloads, and the plans about them."""

    def __init__(self, world: World, stack: AsyncExitStack) -> None:
        self.api, self.kubeconfig, self.namespace = world.api, world.kubeconfig, world.namespace
        self.world, self._stack = world, stack
        self.pods = ReadyPods(world.api, world.namespace)
        self.node = f"node-{self.namespace}"

    async def replica(self, kubeconfig: Path | None = None, **changed: Any) -> Replica:
        chosen = settings(kubeconfig or self.kubeconfig, self.namespace, **changed)
        return await self._stack.enter_async_context(Replica(chosen, SOME))

    async def guarded_replica(self) -> Replica:
        """A replica that the API server asks at every creation and change of a plan in the namespace."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        chosen = settings(
            self.kubeconfig,
            self.namespace,
            webhook=True,
            webhook_port=port,
            webhook_names=("127.0.0.1",),
            webhook_configuration=self.namespace,
        )
        for make, resource in ((webhook_configuration, _HOOKS[0]), (mutating_configuration, _HOOKS[1])):
            made = make([ACTION_PLAN], chosen)
            for hook in made["webhooks"]:
                hook["clientConfig"] = {"url": f"https://127.0.0.1:{port}{hook['clientConfig']['service']['path']}"}
                hook["namespaceSelector"] = {"matchLabels": {"kubernetes.io/metadata.name": self.namespace}}
            await self.api.apply(resource, made)
        running = await self._stack.enter_async_context(Replica(chosen, SOME))

        async def asked() -> bool:
            found = [await self.api.get(each, "", self.namespace) for each in _HOOKS]
            return all(hook["clientConfig"].get("caBundle") for each in found for hook in each["webhooks"])

        await eventually(asked)
        return running

    async def as_user(self, name: str, *groups: str) -> KubeApi:
        """Gives the API as somebody else meets it."""
        access = await Access.open(Source(self.kubeconfig))
        self._stack.push_async_callback(access.close)
        access.session.headers["Impersonate-User"] = name
        for group in groups:
            access.session.headers.add("Impersonate-Group", group)
        return KubeApi(Transport(access, metrics=Metrics(), limits=Limits()))

    async def deployment(self, name: str = "web", *, replicas: int = 2) -> Manifest:
        """Makes a Deployment whose pods are all ready."""
        labels = {"app": name}
        container = {"name": "main", "image": "registry.test/web:1"}
        pod = {"containers": [container], "terminationGracePeriodSeconds": 0}
        await self.api.create(
            DEPLOYMENTS,
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": name, "namespace": self.namespace},
                "spec": {
                    "replicas": replicas,
                    "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels}, "spec": pod},
                },
            },
        )

        async def ready() -> Manifest | None:
            raw = await self.workload(name)
            status = raw.get("status") or {}
            seen = status.get("observedGeneration") == raw["metadata"]["generation"]
            return raw if seen and status.get("readyReplicas", 0) == replicas else None

        found: Manifest | None = await eventually(ready)
        assert found is not None
        return found

    async def workload(self, name: str = "web") -> Manifest:
        return await self.api.get(DEPLOYMENTS, self.namespace, name)

    async def a_node(self) -> str:
        """Makes a node that nobody runs; pods can be put there."""
        await self.api.create(NODES, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": self.node}})
        return self.node

    async def put_on_node(self) -> None:
        """Puts every pod that has no node there."""
        pods, _ = await self.api.list(POD_RESOURCE, namespace=self.namespace)
        for pod in pods:
            ref, body = ObjectRef.of(pod), {"apiVersion": "v1", "kind": "Binding"}
            target = {"apiVersion": "v1", "kind": "Node", "name": self.node}
            binding = {**body, "metadata": {"name": ref.name}, "target": target}
            await self.api.create_under(POD_RESOURCE, ref, "binding", binding)

    async def policy(self, name: str, *rules: Manifest, **spec: Any) -> Manifest:
        """Makes a policy about the namespace, and waits until it is in force."""
        full = f"{name}-{self.namespace}"
        raw = {
            "apiVersion": ACTION_POLICY.api_version,
            "kind": ACTION_POLICY.kind,
            "metadata": {"name": full},
            "spec": {"selector": {"namespaces": [self.namespace]}, "rules": list(rules), **spec},
        }
        await self.api.create(POLICIES, raw)

        async def in_force() -> Manifest | None:
            found = await self.api.get(POLICIES, "", full)
            return found if (found.get("status") or {}).get("observedGeneration") == 1 else None

        found: Manifest | None = await eventually(in_force)
        assert found is not None
        return found

    async def configure(self, **spec: Any) -> None:
        """Sets what the operator is told, and waits until it is in force."""
        name = {"name": "default"}
        await self.api.apply(
            CONFIGS,
            {"apiVersion": SENTINEL_CONFIG.api_version, "kind": SENTINEL_CONFIG.kind, "metadata": name, "spec": spec},
            field_manager="user",
        )

        async def in_force() -> bool:
            raw = await self.api.get(CONFIGS, "", "default")
            return bool((raw.get("status") or {}).get("observedGeneration") == raw["metadata"]["generation"])

        await eventually(in_force)

    async def grant(self, user: str, *verbs: str) -> None:
        """Lets somebody do so much with the plans of the namespace."""
        metadata = {"name": user, "namespace": self.namespace}
        rule = {"apiGroups": [ACTION_PLAN.group], "resources": [ACTION_PLAN.plural], "verbs": list(verbs)}
        await self.api.create(
            Resource(_RBAC, "Role", "roles"),
            {"apiVersion": _RBAC, "kind": "Role", "metadata": metadata, "rules": [rule]},
        )
        await self.api.create(
            Resource(_RBAC, "RoleBinding", "rolebindings"),
            {
                "apiVersion": _RBAC,
                "kind": "RoleBinding",
                "metadata": metadata,
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": user},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
            },
        )
        asked = {"group": ACTION_PLAN.group, "resource": ACTION_PLAN.plural, "namespace": self.namespace}

        async def in_force() -> bool:
            attributes = {**asked, "verb": verbs[-1]}
            return await self.api.subject_access_review({"user": user, "resourceAttributes": attributes})

        await eventually(in_force)

    def plan(self, name: str, *decisions: Manifest, source: str = OWNER.username, **spec: Any) -> Manifest:
        return {
            "apiVersion": ACTION_PLAN.api_version,
            "kind": ACTION_PLAN.kind,
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"planId": name, "source": source, "decisions": list(decisions), **spec},
        }

    async def submit(self, name: str, *decisions: Manifest, by: KubeApi | None = None, **spec: Any) -> Manifest:
        """Creates a plan: as somebody, whom admission writes down; or, without admission, as written down here."""
        raw = self.plan(name, *decisions, **spec)
        if by is None:
            raw["metadata"]["annotations"] = {REQUESTED_BY: written(OWNER)}
        return await (by or self.api).create(PLANS, raw)

    async def raw(self, name: str) -> Manifest:
        return await self.api.get(PLANS, self.namespace, name)

    async def reaches(self, name: str, *states: str, within: float = 120.0) -> Manifest:
        """Waits for a state; gives the status. A plan that ends otherwise says how."""

        async def there() -> Manifest | None:
            status = (await self.raw(name)).get("status") or {}
            if status.get("state") in FINISHED and status["state"] not in states:
                raise RuntimeError(f"{name} is {status['state']}: {status.get('message')}")
            assert status.get("state") in states, status.get("message")
            return dict(status)

        found: Manifest | None = await eventually(there, within=within)
        assert found is not None
        return found


def decision(verb: str, name: str = "web", *, kind: str = "Deployment", **more: Any) -> Manifest:
    version = {"SentryModel": SENTRY_MODEL.api_version, "Node": "v1"}.get(kind, "apps/v1")
    return {"id": f"{verb}-it", "verb": verb, "target": {"apiVersion": version, "kind": kind, "name": name}, **more}


@asynccontextmanager
async def opened(world: World) -> AsyncIterator[Plans]:
    """Gives the plans of a namespace; at the end nothing of the cluster is left of them."""
    for kind in OURS:
        text = (ROOT / "crds" / f"sentinel.dev_{kind.plural}.yaml").read_text()
        await world.api.apply(CRDS, yaml.safe_load(text))

    async def served() -> bool:
        found = {each["name"] for each in (await world.api.read_path(PLANS.base))["resources"]}
        return {kind.plural for kind in OURS} <= found

    await eventually(served)
    async with AsyncExitStack() as stack:
        made = Plans(world, stack)
        await stack.enter_async_context(made.pods.running())
        try:
            yield made
        finally:
            for resource in (*_HOOKS, NODES):
                name = made.node if resource is NODES else made.namespace
                await world.api.delete(resource, ObjectRef("", resource.kind, "", name))
            for resource in (PLANS, MODELS, DEPLOYMENTS):
                items, _ = await world.api.list(resource, namespace=world.namespace)
                for each in items:
                    await world.api.delete(resource, ObjectRef.of(each))
            await world.api.delete(CONFIGS, ObjectRef("", CONFIGS.kind, "", "default"))
            for each in (await world.api.list(POLICIES))[0]:
                if each["metadata"]["name"].endswith(made.namespace):
                    await world.api.delete(POLICIES, ObjectRef.of(each))
            await _gone(world)


async def _gone(world: World) -> None:
    """What was compiled from policies goes with them, and must not be there for the next test."""
    api = "admissionregistration.k8s.io/v1"
    compiled = Resource(api, "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", namespaced=False)

    async def none() -> bool:
        items, _ = await world.api.list(compiled)
        return not [each for each in items if world.namespace in str(each["metadata"].get("labels"))]

    await eventually(none)
