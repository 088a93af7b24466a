"""Plans in a cluster: proposed by somebody whom the API server knows, waited for, and what is to be changed by them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from devcluster.errors import DevclusterError
from devcluster.images import IMAGES
from sentinel_operator.api.actionstatus import FINISHED
from sentinel_operator.api.actionverbs import API_VERSIONS
from tests.e2e.faults import OPERATOR
from tests.e2e.world import MODEL, Raw, World, eventually

PERSON, APPROVER, COLLEAGUE = "alice", "carol", "bob"
"""Who proposes, who may approve, and who may do all but that."""
_ROLES = {PERSON: "edit", APPROVER: "sentinel-approver", COLLEAGUE: "edit"}
_RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class Plans:
    """The plans about a world: in its own namespace, or in the operator's, where they may point elsewhere."""

    world: World
    namespace: str

    def plan(self, name: str, *decisions: Raw, source: str = PERSON, **spec: Any) -> Raw:
        """Gives a plan whose planId no other run has."""
        return {
            "apiVersion": "sentinel.dev/v1alpha1",
            "kind": "ActionPlan",
            "metadata": {"name": self.name(name), "namespace": self.namespace},
            "spec": {"planId": self.name(name), "source": source, "decisions": list(decisions), **spec},
        }

    def name(self, name: str) -> str:
        """Gives the object's name."""
        return f"{self.world.namespace}-{name}"

    def propose(self, name: str, *decisions: Raw, by: str = PERSON, **spec: Any) -> None:
        """Creates a plan with kubectl, as that person; raises DevclusterError when the API server refuses it."""
        self.kubectl("create", "-f", "-", by=by, text=yaml.safe_dump(self.plan(name, *decisions, **spec)))

    def approve(self, name: str, *, by: str) -> None:
        """Approves a plan, as that person."""
        said = {"spec": {"approval": {"decision": "Approve", "reason": "agreed"}}}
        self.kubectl("patch", "actionplan", self.name(name), "--type=merge", "--patch", json.dumps(said), by=by)

    def reaches(self, name: str, *states: str, within: float = 120.0) -> Raw:
        """Waits until a plan is in one of the states; gives its status. One that ends otherwise says how."""

        def look() -> Raw | None:
            status = self.status(name)
            state = status.get("state")
            assert state in states or state not in FINISHED, f"{name} is {state}: {status.get('message')}"
            return status if state in states else None

        return eventually(look, within=within, otherwise=lambda: yaml.safe_dump(self.status(name)))

    def done(self, name: str, *decisions: Raw, within: float = 120.0, **spec: Any) -> Raw:
        """Proposes a plan and waits until all of it is done."""
        self.propose(name, *decisions, **spec)
        status = self.reaches(name, "Completed", within=within)
        assert status["requestedBy"]["username"] == PERSON
        assert {each["state"] for each in status["decisions"]} == {"Done"}
        return status

    def status(self, name: str) -> Raw:
        """Gives what is known of a plan."""
        found: Raw = json.loads(self.kubectl("get", "actionplan", self.name(name), "-o", "json"))
        return dict(found.get("status") or {})

    def kubectl(self, *words: str, by: str = "", text: str | None = None) -> str:
        """Runs kubectl where the plans are, as somebody."""
        who = [f"--as={by}"] if by else []
        return self.world.cluster.kubectl(f"--namespace={self.namespace}", *who, *words, text=text)

    def grant(self) -> None:
        """Gives people what the cluster's own roles give them."""
        self.world.cluster.apply([self._binding(user, role) for user, role in _ROLES.items()])

    def clear(self) -> None:
        """Removes the plans about the world and what was granted."""
        about = [
            name for name in self.kubectl("get", "actionplans", "-o", "name").split() if self.world.namespace in name
        ]
        bindings = [f"rolebinding/{self.name(user)}" for user in _ROLES]
        self.kubectl("delete", "--ignore-not-found", "--wait=false", *about, *bindings)

    def _binding(self, user: str, role: str) -> Raw:
        return {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": self.name(user), "namespace": self.namespace},
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
            "subjects": [{"apiGroup": _RBAC, "kind": "User", "name": user}],
        }


def decision(verb: str, name: str = MODEL, *, kind: str = "SentryModel", namespace: str = "", **more: Any) -> Raw:
    """Gives one decision; what is not said otherwise is about the model."""
    where = {"namespace": namespace} if namespace else {}
    target = {"apiVersion": API_VERSIONS[kind], "kind": kind, "name": name, **where}
    return {"id": verb, "verb": verb, "target": target, **more}


def workload(kind: str, name: str, *, replicas: int = 2) -> Raw:
    """Gives a Deployment or a StatefulSet of pods that do nothing."""
    labels = {"app": name}
    container = {
        "name": "main",
        "image": IMAGES["model-server"].reference,
        "command": ["sleep", "infinity"],
        "resources": {"requests": {"cpu": "5m", "memory": "8Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    pod = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    selected = {"replicas": replicas, "selector": {"matchLabels": labels}}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {**selected, "template": {"metadata": {"labels": labels}, "spec": pod}},
    }


@contextmanager
def budget_watched(world: World, name: str, file: Path) -> Iterator[list[tuple[int, int]]]:
    """Follows a PodDisruptionBudget; gives, after the block, each number of healthy pods with the least allowed."""
    shown = "--output=jsonpath={.status.currentHealthy} {.status.desiredHealthy}{'\\n'}"
    command = [*world.cluster.kubectl_command, f"--namespace={world.namespace}", "get", "pdb", name, "--watch", shown]
    seen: list[tuple[int, int]] = []
    with file.open("w") as out:
        watching = subprocess.Popen(command, stdout=out)
        try:
            eventually(lambda: file.read_text().strip(), within=30)
            yield seen
        finally:
            watching.terminate()
            watching.wait(10)
    for line in file.read_text().splitlines():
        healthy, _, least = line.partition(" ")
        seen.append((int(healthy), int(least)))


@contextmanager
def policy(world: World, name: str, *rules: Raw, **spec: Any) -> Iterator[str]:
    """Has a policy about the world's namespace in force, as long as the block lasts; gives its name."""
    full = f"{name}-{world.namespace}"
    raw = {
        "apiVersion": "sentinel.dev/v1alpha1",
        "kind": "ActionPolicy",
        "metadata": {"name": full},
        "spec": {"selector": {"namespaces": [world.namespace]}, "rules": list(rules), **spec},
    }
    world.cluster.apply([raw])

    def in_force() -> bool:
        return bool((world.get("actionpolicy", full).get("status") or {}).get("observedGeneration") == 1)

    try:
        eventually(in_force, within=30)
        yield full
    finally:
        world.cluster.kubectl("delete", "actionpolicy", full)


def refusal(plans: Plans, name: str, *decisions: Raw, by: str = PERSON, **spec: Any) -> str:
    """Proposes a plan that the API server does not take; gives what it says."""
    try:
        plans.propose(name, *decisions, by=by, **spec)
    except DevclusterError as error:
        return str(error)
    raise AssertionError(f"{name} was taken")


def operators(world: World) -> Plans:
    """Gives the plans in the operator's namespace."""
    return Plans(world, OPERATOR)
