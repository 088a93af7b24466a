"""Objects for tests, said in a line: `a_model().with_version("2.0.0").with_replicas(3).raw`."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from sentinel_operator.api.serving import ExitCode

Raw = dict[str, Any]
NOW = datetime(2025, 3, 1, 12, 0, 0, tzinfo=UTC)
UID = "6f1c2a34-0000-4000-8000-000000000001"
DIGEST_1 = f"sha256:{'1' * 64}"
DIGEST_2 = f"sha256:{'2' * 64}"
PEM = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n"


def merged(base: Raw, changes: Raw) -> Raw:
    """Gives a deep merge; None removes a key."""
    out = dict(base)
    for key, value in changes.items():
        if value is None:
            out.pop(key, None)
        elif isinstance(value, dict) and isinstance(out.get(key), dict):
            out[key] = merged(out[key], value)
        else:
            out[key] = copy.deepcopy(value)
    return out


@dataclass(frozen=True)
class ModelBuilder:
    """A SentryModel; every method gives another one."""

    raw: Raw

    def with_spec(self, **spec: Any) -> ModelBuilder:
        """Merges into the spec."""
        return ModelBuilder(merged(self.raw, {"spec": spec}))

    def with_metadata(self, **metadata: Any) -> ModelBuilder:
        """Merges into the metadata."""
        return ModelBuilder(merged(self.raw, {"metadata": metadata}))

    def with_version(self, version: str, digest: str | None = None) -> ModelBuilder:
        """Names another artifact."""
        changes: Raw = {"version": version, "source": {"objectStore": {"uri": f"s3://models/fraud/{version}/"}}}
        return self.with_spec(model=changes | ({"digest": digest} if digest else {}))

    def with_replicas(self, replicas: int | None) -> ModelBuilder:
        """Asks for a number of pods."""
        return self.with_spec(replicas=replicas)

    def with_rollout(self, **rollout: Any) -> ModelBuilder:
        """Sets how a new revision takes over."""
        return self.with_spec(rollout=rollout)

    def with_autoscaling(self, low: int, high: int, **more: Any) -> ModelBuilder:
        """Leaves the number of pods to an autoscaler."""
        return self.with_spec(replicas=None, autoscaling={"min": low, "max": high, **more})

    def with_status(self, status: Raw | None) -> ModelBuilder:
        """Sets what an earlier pass wrote."""
        return ModelBuilder({**self.raw, "status": copy.deepcopy(status or {})})

    def suspended(self) -> ModelBuilder:
        """Stops the operator."""
        return self.with_spec(suspend=True)

    def edited(self) -> ModelBuilder:
        """Counts the generation on, as the API server does when the spec changes."""
        return self.with_metadata(generation=self.raw["metadata"]["generation"] + 1)


def a_model(name: str = "fraud", namespace: str = "team-a") -> ModelBuilder:
    """Gives a small valid SentryModel: an object-store artifact with a digest, one pod, replaced one by one."""
    return ModelBuilder(
        {
            "apiVersion": "sentinel.dev/v1alpha1",
            "kind": "SentryModel",
            "metadata": {"name": name, "namespace": namespace, "uid": UID, "generation": 1},
            "spec": {
                "model": {
                    "version": "1.0.0",
                    "digest": DIGEST_1,
                    "source": {"objectStore": {"uri": "s3://models/fraud/1.0.0/"}},
                },
                "rollout": {"strategy": "RollingUpdate"},
            },
        }
    )


@dataclass(frozen=True)
class PodBuilder:
    """A pod of a Deployment, as kubelet and scheduler report it; every method gives another one."""

    name: str
    deployment: Raw
    conditions: dict[str, Raw] = field(default_factory=dict)
    init: dict[str, Raw] = field(default_factory=dict)
    main: dict[str, Raw] = field(default_factory=dict)
    deleting: bool = False
    node: str = "node-1"
    created: str = "2025-03-01T12:00:00Z"
    phase: str = "Pending"

    def scheduled(self, at: str = "2025-03-01T12:00:00Z") -> PodBuilder:
        """Has a node and its volumes."""
        condition = {"status": "True", "lastTransitionTime": at}
        return self._with(PodScheduled=condition, PodReadyToStartContainers={"status": "True"})

    def without_volumes(self, since: str) -> PodBuilder:
        """Has a node, but what its volumes need is not there."""
        return self._with(
            PodScheduled={"status": "True", "lastTransitionTime": since},
            PodReadyToStartContainers={"status": "False"},
        )

    def unschedulable(self, message: str) -> PodBuilder:
        """Has no node."""
        return self._with(PodScheduled={"status": "False", "reason": "Unschedulable", "message": message})

    def fetched(self, **verification: Any) -> PodBuilder:
        """Its fetch has verified the artifact."""
        told = {"digest": DIGEST_1, "at": "2025-03-01T12:00:01Z", **verification}
        ended = {"exitCode": 0, "message": json.dumps({"verification": told})}
        return replace(self, init={**self.init, "fetch": {"state": {"terminated": ended}, "ready": True}})

    def ready(self, image: str = f"sentinel.dev/model-server@sha256:{'a' * 64}") -> PodBuilder:
        """Answers requests."""
        ended = self.init.get("fetch", {}).get("state", {}).get("terminated", {})
        fetched = self if ended.get("exitCode") == 0 else self.scheduled().fetched()
        server = {"state": {"running": {}}, "ready": True, "imageID": image}
        return replace(fetched, main={"server": server}, phase="Running")._with(Ready={"status": "True"})

    def ended(
        self, container: str, code: int, message: str | Raw = "", *, reason: str = "Error", backoff: bool = True
    ) -> PodBuilder:
        """Had a container end; it waits for its next attempt, or makes it already."""
        text = message if isinstance(message, str) else json.dumps(message)
        ended = {"terminated": {"exitCode": code, "message": text, "reason": reason}}
        now = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}} if backoff else {"running": {}}
        return self._container(container, {"state": now, "lastState": ended, "containerID": "containerd://1"})

    def refused(self, code: ExitCode, message: str = "", *, field: str = "") -> PodBuilder:
        """Had fetch or server give up, and say why."""
        container = "server" if code >= 20 else "fetch"
        return self.ended(container, code, {"reason": code.name, "field": field, "message": message})

    def waiting(
        self, container: str, reason: str, message: str = "", image: str = "registry.test/image:1"
    ) -> PodBuilder:
        """Has a container that cannot be started."""
        return self._container(
            container, {"state": {"waiting": {"reason": reason, "message": message}}, "image": image}
        )

    def going(self) -> PodBuilder:
        """Is being deleted."""
        return replace(self, deleting=True)

    @property
    def raw(self) -> Raw:
        """Gives the pod as the API server would."""
        name = self.deployment["metadata"]["name"]
        replica_set = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"{name}-abc", "controller": True}
        metadata = {
            "name": self.name,
            "uid": f"uid-{self.name}",
            "namespace": self.deployment["metadata"]["namespace"],
            "labels": self.deployment["spec"]["template"]["metadata"]["labels"],
            "creationTimestamp": self.created,
            "ownerReferences": [{**replica_set, "uid": f"rs-{name}"}],
            **({"deletionTimestamp": "2025-03-01T12:00:00Z"} if self.deleting else {}),
        }
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata,
            "spec": {"nodeName": self.node},
            "status": {
                "phase": self.phase,
                "podIP": "10.0.0.7",
                "conditions": [{"type": type_, **each} for type_, each in self.conditions.items()],
                "initContainerStatuses": [{"name": name, **each} for name, each in self.init.items()],
                "containerStatuses": [{"name": name, **each} for name, each in self.main.items()],
            },
        }

    def _with(self, **conditions: Raw) -> PodBuilder:
        return replace(self, conditions={**self.conditions, **conditions})

    def _container(self, name: str, status: Raw) -> PodBuilder:
        placed = self._with(Ready={"status": "False"}) if self.conditions else self.scheduled()
        if name == "server":
            return replace(placed if placed.init else placed.fetched(), main={name: status})
        return replace(placed, init={**placed.init, name: status})


def a_pod(deployment: Raw, name: str = "") -> PodBuilder:
    """Gives a pod that was just created for a Deployment."""
    return PodBuilder(name or f"{deployment['metadata']['name']}-abc-1", deployment)


def a_config_map(name: str, *, namespace: str = "team-a", **data: str) -> Raw:
    """Gives a ConfigMap of the user's; `__` in a key stands for a dot."""
    texts = {key.replace("__", "."): value for key, value in data.items()}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": texts,
    }
