"""A brain, a bridge to it under its shipped roles, and plans about the workloads of a namespace of the API server."""

from __future__ import annotations

import asyncio
import base64
import copy
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from demo.brain import Brain, Tls
from sentinel_operator.api.kinds import NODE_TELEMETRY
from sentinel_operator.bridge.app import App
from sentinel_operator.bridge.pace import Pace
from sentinel_operator.bridge.rights import NAME
from sentinel_operator.bridge.settings import Settings
from sentinel_operator.core.bridge.marks import ACKNOWLEDGED_AT, name_of
from sentinel_operator.core.plan import Manifest, ObjectRef
from sentinel_operator.crdgen.roles import bridge_roles
from sentinel_operator.engine.errors import NotFound
from sentinel_operator.engine.resources import CRDS, SECRETS, Resource
from tests.support.eventually import eventually
from tests.support.plansworld import PLANS, ROOT, Plans
from tests.support.plansworld import opened as plans_opened
from tests.support.toyworld import World

CLUSTER = "prod-01"
TOKEN_SECRET, CA_SECRET = f"{NAME}-token", f"{NAME}-ca"
_RBAC = "rbac.authorization.k8s.io/v1"
_ACCOUNTS = Resource("v1", "ServiceAccount", "serviceaccounts")
_RESOURCES = {
    "ClusterRole": Resource(_RBAC, "ClusterRole", "clusterroles", namespaced=False),
    "ClusterRoleBinding": Resource(_RBAC, "ClusterRoleBinding", "clusterrolebindings", namespaced=False),
    "Role": Resource(_RBAC, "Role", "roles"),
    "RoleBinding": Resource(_RBAC, "RoleBinding", "rolebindings"),
}
QUICK = Pace(first_pause=0.05, longest_pause=0.5, settled=5.0)


class Running:
    """One replica of the bridge, on the test's own loop."""

    def __init__(self, settings: Settings) -> None:
        self.app = App(settings, pace=QUICK)
        self.task = asyncio.create_task(self.app.run())

    async def stop(self) -> int:
        """Asks it to stop, as SIGTERM does, and gives its exit status."""
        self.app.stop.set()
        async with asyncio.timeout(30):
            return await self.task

    async def kill(self) -> None:
        """Ends it where it stands: nothing is flushed, the lease is not released."""
        self.task.cancel()
        await asyncio.wait([self.task], timeout=30)

    def metric(self, name: str, **labels: str) -> float:
        """Reads one of its metrics; 0 where it has none yet."""
        return self.app.metrics.registry.get_sample_value(f"sentinel_bridge_{name}", labels) or 0.0


class Bridges:
    """The namespace, with a brain in this process."""

    def __init__(self, plans: Plans, stack: AsyncExitStack, folder: Path) -> None:
        self.plans, self.api, self.namespace = plans, plans.api, plans.namespace
        self.brain = Brain()
        self._stack = stack
        self.kubeconfig = folder / "bridge.conf"

    @property
    def user(self) -> str:
        """Whom the API server takes the bridge for."""
        return f"system:serviceaccount:{self.namespace}:{NAME}"

    async def account(self) -> None:
        """Makes the bridge's account, with the roles that are shipped and no more, and its kubeconfig."""
        metadata = {"name": NAME, "namespace": self.namespace}
        account = await self.api.create(_ACCOUNTS, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
        for made in bridge_roles(Settings(namespace=self.namespace)):
            named = copy.deepcopy(made)
            if "namespace" not in named["metadata"]:
                named["metadata"]["name"] = f"{NAME}-{self.namespace}"
                if "roleRef" in named:
                    named["roleRef"]["name"] = named["metadata"]["name"]
            await self.api.apply(_RESOURCES[named["kind"]], named, field_manager="test")
        asked = {"group": "sentinel.dev", "resource": "actionplans", "verb": "patch", "namespace": self.namespace}

        async def in_force() -> bool:
            return await self.api.subject_access_review({"user": self.user, "resourceAttributes": asked})

        await eventually(in_force)
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        issued = await self.api.create_under(_ACCOUNTS, ObjectRef.of(account), "token", request)
        config = yaml.safe_load(self.plans.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": issued["status"]["token"]}
        self.kubeconfig.write_text(yaml.safe_dump(config))

    async def remove(self) -> None:
        """Takes away what is cluster-wide."""
        for kind in ("ClusterRole", "ClusterRoleBinding"):
            await self.api.delete(_RESOURCES[kind], ObjectRef("", kind, "", f"{NAME}-{self.namespace}"))

    async def run(self, **changed: Any) -> Running:
        """Starts a replica of the bridge."""
        given: dict[str, Any] = {
            "namespace": self.namespace,
            "kubeconfig": self.kubeconfig,
            "http_host": "127.0.0.1",
            "http_port": 0,
            "refresh": 0.5,
            "lease_duration": 6.0,
            "lease_deadline": 4.0,
            "lease_retry": 0.3,
            **changed,
        }
        running = Running(Settings(**given))
        self._stack.push_async_callback(running.kill)
        return running

    async def configure(self, protocol: str = "gRPC", **changed: Any) -> None:
        """Names the brain in the SentinelConfig; the operator, which says that it is in force, must run."""
        await self.plans.configure(**self.settings(protocol, **changed))

    def settings(self, protocol: str = "gRPC", **changed: Any) -> dict[str, Any]:
        """Gives the whole spec of a SentinelConfig."""
        endpoint = f"127.0.0.1:{self.brain.port}"
        if protocol == "HTTP":
            scheme = "http" if changed.get("tls", {"plaintext": True}).get("plaintext") else "https"
            endpoint = f"{scheme}://127.0.0.1:{self.brain.rest_port}"
        bridge = {
            "endpoint": endpoint,
            "protocol": protocol,
            "tls": {"plaintext": True},
            "pollInterval": "1s",
            "interval": "1s",
            "batch": {"maxAge": "1s"},
            **changed,
        }
        return {"clusterId": CLUSTER, "operatorNamespace": self.namespace, "bridge": bridge}

    async def secret(self, name: str, **data: str) -> None:
        """Makes or changes a Secret."""
        encoded = {key.replace("_", "."): base64.b64encode(value.encode()).decode() for key, value in data.items()}
        metadata = {"name": name, "namespace": self.namespace}
        made = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": encoded}
        await self.api.apply(SECRETS, made, field_manager="test")

    def proposal(self, plan_id: str, *decisions: Manifest, **more: Any) -> dict[str, Any]:
        """Gives a plan as a brain says it."""
        chosen = decisions or (self.wish("scale", replicas="3"),)
        return {"plan_id": plan_id, "decisions": list(chosen), **more}

    def wish(self, verb: str, workload: str = "web", **params: str) -> Manifest:
        """Gives a decision as a brain says it."""
        return {"verb": verb, "target": {"workload": workload, "namespace": self.namespace}, "params": params}

    async def acked(self, plan_id: str, *, within: float = 60.0) -> dict[str, Any]:
        """Waits until the brain is told of a plan; gives what it was told first."""

        async def told() -> dict[str, Any] | None:
            found = self.brain.memory.acks_of(plan_id)
            assert found, f"known are {[each.get('plan_id') for each in self.brain.memory.acks]}"
            return found[0]

        ack: dict[str, Any] | None = await eventually(told, within=within)
        assert ack is not None
        return ack

    async def plan(self, plan_id: str) -> Manifest | None:
        """Gives the plan's object."""
        try:
            return await self.api.get(PLANS, self.namespace, name_of(plan_id))
        except NotFound:
            return None

    async def marked(self, plan_id: str) -> Manifest:
        """Waits until a plan bears the mark of the brain's answer."""

        async def look() -> Manifest | None:
            raw = await self.plan(plan_id)
            assert raw is not None
            return raw if ACKNOWLEDGED_AT in raw["metadata"].get("annotations", {}) else None

        found: Manifest | None = await eventually(look)
        assert found is not None
        return found

    def another_brain(self, **given: Any) -> None:
        """Puts another brain in the place of this one, before it is opened."""
        self.brain = Brain(**given)

    async def open_brain(self) -> Brain:
        """Opens the brain until the end of the test."""
        await self.brain.open()
        self._stack.push_async_callback(self.brain.close)
        return self.brain


@asynccontextmanager
async def opened(world: World, folder: Path) -> AsyncIterator[Bridges]:
    """Gives the bridges of a namespace; at the end nothing of the cluster is left of them."""
    text = (ROOT / "crds" / f"sentinel.dev_{NODE_TELEMETRY.plural}.yaml").read_text()
    await world.api.apply(CRDS, yaml.safe_load(text))
    async with plans_opened(world) as plans, AsyncExitStack() as stack:
        made = Bridges(plans, stack, folder)
        await made.account()
        try:
            yield made
        finally:
            await stack.aclose()
            await made.remove()


def certificates(folder: Path, name: str) -> tuple[Tls, str]:
    """Makes an authority and a certificate of 127.0.0.1 under it; gives the pair's files and the authority in PEM."""
    key, leaf_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"authority of {name}")])
    authority = _builder(issuer, issuer, key).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    signed = authority.sign(key, hashes.SHA256())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = x509.SubjectAlternativeName([x509.DNSName("brain.test")])
    leaf = _builder(subject, issuer, leaf_key).add_extension(names, critical=False).sign(key, hashes.SHA256())
    certificate, private = folder / f"{name}.crt", folder / f"{name}.key"
    certificate.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        leaf_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return Tls(certificate=certificate, key=private), signed.public_bytes(serialization.Encoding.PEM).decode()


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(hours=1))
    )


__all__ = ["Bridges", "Running", "certificates", "opened"]
