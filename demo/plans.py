"""A person and a brain propose plans; policies let them pass, keep them back, or have somebody asked."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from demo.install import NAMESPACE
from demo.load import PORT, Load
from demo.proposing import OPERATOR, BrainPod
from demo.waiting import eventually
from devcluster.paths import REPOSITORY
from devcluster.providers import AnyCluster

Raw = dict[str, Any]
Say = Callable[[str], None]
PERSON, APPROVER, BRAIN = "alice", "carol", "inframind"
_EXAMPLES = REPOSITORY / "examples" / "actions"
_RBAC = "rbac.authorization.k8s.io"
_PROGRAM = Path(sys.executable).with_name("kubectl-sentinel")
_BRIDGE = "system:serviceaccount:sentinel-system:sentinel-bridge"
PRICES: Raw = {"cpuHour": 0.04, "memoryGibHour": 0.005}


@dataclass(frozen=True, slots=True)
class Proposals:
    """The plans of one run about one model."""

    cluster: AnyCluster
    model: str
    brain: BrainPod
    run: str
    say: Say

    @classmethod
    def open(cls, cluster: AnyCluster, *, model: str, folder: Path, node: str, say: Say) -> Proposals:
        """Puts policies and people in place, and a brain on the node, of which the bridge knows."""
        cluster.apply([*_policies(), *_people()])
        brain = BrainPod.start(cluster, folder, node=node)
        brain.connect(source=BRAIN, prices=PRICES)
        return cls(cluster, model, brain, f"{int(time.time()):x}", say)

    def by_person(self, name: str, verb: str, **params: str) -> None:
        """Has the person post a plan with kubectl, and waits until it is done."""
        target = {"apiVersion": "sentinel.dev/v1alpha1", "kind": "SentryModel", "name": self.model}
        decision = {"id": verb, "verb": verb, "target": target, **({"params": params} if params else {})}
        full = f"{name}-{self.run}"
        plan = {
            "apiVersion": "sentinel.dev/v1alpha1",
            "kind": "ActionPlan",
            "metadata": {"name": full, "namespace": NAMESPACE},
            "spec": {"planId": full, "source": PERSON, "decisions": [decision]},
        }
        self.cluster.kubectl("create", f"--as={PERSON}", "-f", "-", text=yaml.safe_dump(plan))
        state, message = self._ended(NAMESPACE, full)
        self._told(f"{PERSON}: {verb}", state, message, wanted="Completed")

    def by_brain(self, name: str, verb: str, *, wanted: str, **more: Any) -> None:
        """Has the brain propose something about the model over gRPC, and waits for what it is told of it."""
        params = more.pop("params", {})
        self._offer(name, {"verb": verb, "target": self._target(), "params": params}, **more)
        said = f"{verb} to {params['replicas']}" if "replicas" in params else verb
        self._outcome(name, said, wanted=wanted)

    def drained(self, name: str, node: str) -> None:
        """Has the brain propose to drain a node; it waits for a person, who agrees."""
        self._offer(name, {"verb": "drain", "target": {"kind": "Node", "name": node}, "params": {"reason": "too hot"}})
        plan = eventually(lambda: self._named(name, "AwaitingApproval"), within=60)
        self.say(f"[yellow]AwaitingApproval[/] {BRAIN}: drain {node}: {plan['status']['message']}")
        said = json.dumps({"spec": {"approval": {"decision": "Approve", "reason": "go ahead"}}})
        object_name = plan["metadata"]["name"]
        self._kubectl("patch", "actionplan", object_name, f"--as={APPROVER}", "--type=merge", f"--patch={said}")
        self._outcome(name, f"drain {node}, approved by {APPROVER}", wanted="Completed")

    def explained(self, name: str) -> str:
        """Gives what `kubectl sentinel explain` says of a brain's plan."""
        found = self._of(name)
        if found is None:
            raise RuntimeError(f"there is no plan {name}")
        return self._sentinel("explain", found["metadata"]["name"], "--namespace", OPERATOR)

    def table(self) -> str:
        """Gives what `kubectl sentinel plans` says of all plans."""
        return self._sentinel("plans", "--all-namespaces")

    def _target(self) -> Raw:
        return {"workload": self.model, "namespace": NAMESPACE}

    def _offer(self, name: str, decision: Raw, **more: Any) -> None:
        plan = {"plan_id": f"{name}-{self.run}", "source": "InfraMind", "created_at": int(time.time())}
        self.brain.offer({**plan, "decisions": [decision], **more})

    def _outcome(self, name: str, what: str, *, wanted: str) -> None:
        told = self.brain.outcome(f"{name}-{self.run}")
        state = str((told.get("metrics") or {}).get("state", "Completed" if told.get("success") else "not done"))
        message = str(told.get("message", "")).removeprefix(f"{state}: ")
        self._told(f"{BRAIN}: {what}", state, message, wanted=wanted)

    def _told(self, what: str, state: str, message: str, *, wanted: str) -> None:
        colour = "green" if state == "Completed" else "yellow"
        self.say(f"[{colour}]{state}[/] {what}: {message}")
        if state != wanted:
            raise RuntimeError(f"{what} should have been {wanted}: {message}")

    def _ended(self, namespace: str, name: str) -> tuple[str, str]:
        finished = ("Rejected", "Completed", "RolledBack", "Failed", "Expired", "Superseded")

        def look() -> tuple[str, str] | None:
            raw = self.cluster.kubectl("get", "actionplan", name, f"--namespace={namespace}", "-o", "json")
            status = json.loads(raw).get("status", {})
            return (status["state"], status.get("message", "")) if status.get("state") in finished else None

        return eventually(look, within=180, otherwise=lambda: f"{name} does not end")

    def _named(self, name: str, state: str) -> Raw | None:
        found = self._of(name)
        return found if found is not None and (found.get("status") or {}).get("state") == state else None

    def _of(self, name: str) -> Raw | None:
        items: Sequence[Raw] = json.loads(self._kubectl("get", "actionplans", "-o", "json"))["items"]
        return next((each for each in items if each["spec"]["planId"] == f"{name}-{self.run}"), None)

    def _kubectl(self, *words: str) -> str:
        return self.cluster.kubectl(f"--namespace={OPERATOR}", *words)

    def _sentinel(self, *words: str) -> str:
        command = [str(_PROGRAM), *words, "--kubeconfig", str(self.cluster.kubeconfig)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout


def go_through(made: Proposals, *, load: Load, node: str | None) -> None:
    """Goes through every kind of end that a plan can have; nothing of it may lose a request."""
    made.by_person("restart", "restart")
    made.by_brain("grow", "scale", wanted="Completed", params={"replicas": "3", "reason": "more is asked for"})
    made.by_brain("save", "scale", wanted="Rejected", params={"replicas": "1", "estimated_cost_per_hour": "0"})
    made.by_brain("back", "rollback", wanted="Completed", params={"revision": "previous"})
    if node is not None:
        made.drained("drain", node)
        made.cluster.kubectl("uncordon", node)
    quick = {"name": "median", "web": {"url": _measured_at(load), "json_path": "$.milliseconds"}, "max": 0.1}
    promised = {"metrics": [{**quick, "interval": "1s"}]}
    made.by_brain("promise", "scale", wanted="RolledBack", params={"replicas": "4"}, verify=promised)


def measurable(cluster: AnyCluster, load: Load) -> None:
    """Lets the operator ask the client how its requests fare."""
    labels = {"app": load.name}
    service = {"selector": labels, "ports": [{"port": PORT}]}
    to = [{"namespaceSelector": _in(load.namespace), "podSelector": {"matchLabels": labels}}]
    policy = {
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "sentinel-operator"}},
        "policyTypes": ["Egress"],
        "egress": [{"to": to, "ports": [{"port": PORT}]}],
    }
    net = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}
    cluster.apply(
        [
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": load.name, "namespace": load.namespace},
                "spec": service,
            },
            {**net, "metadata": {"name": "asks-the-demo", "namespace": OPERATOR}, "spec": policy},
        ]
    )


def _measured_at(load: Load) -> str:
    return f"http://{load.name}.{load.namespace}.svc:{PORT}/"


def _in(namespace: str) -> Raw:
    return {"matchLabels": {"kubernetes.io/metadata.name": namespace}}


def _policies() -> list[Raw]:
    """The examples, as they suit two nodes and a few minutes."""
    team: Raw = yaml.safe_load((_EXAMPLES / "policy-team.yaml").read_text())
    nodes: Raw = yaml.safe_load((_EXAMPLES / "policy-nodes.yaml").read_text())
    tried: Raw = yaml.safe_load((_EXAMPLES / "policy-tried-out.yaml").read_text())
    team["spec"]["sources"] = [{"name": BRAIN, "users": [_BRIDGE]}]
    team["spec"]["selector"] = {"namespaces": [NAMESPACE]}
    rules = {rule["type"]: rule for rule in team["spec"]["rules"]}
    rules["BlastRadius"]["blastRadius"] |= {"minHealthy": 2, "stormCooldown": "5s"}
    rules["SLO"]["slo"]["maxP99LatencyMs"] = 5000
    for rule in nodes["spec"]["rules"]:
        if rule["type"] == "BlastRadius":
            rule["blastRadius"]["minHealthy"] = 1
    return [team, nodes, tried]


def _people() -> list[Raw]:
    """Who may propose in the demo's namespace, and who may approve."""
    return [
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": f"demo-{user}", "namespace": namespace},
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
            "subjects": [{"apiGroup": _RBAC, "kind": "User", "name": user}],
        }
        for user, role, namespace in (
            (PERSON, "edit", NAMESPACE),
            (APPROVER, "sentinel-approver", OPERATOR),
        )
    ]
