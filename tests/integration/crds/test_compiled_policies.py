"""What policies are compiled into, asked of the API server: it takes it, and refuses what our own judge would."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from devcluster.cluster import Cluster
from sentinel_operator.api.kinds import ACTION_PLAN
from sentinel_operator.core.policy.compiled import compiled
from sentinel_operator.core.policy.facts import Identity
from sentinel_operator.core.policy.policy import Policy
from tests.integration.crds.client import Client, collection
from tests.unit.policy.scenes import policy, raw_decision, rule
from tests.unit.policy.test_compiled import NAMES, USERS, ours

pytestmark = pytest.mark.integration

RBAC = "/apis/rbac.authorization.k8s.io/v1"
POLICIES = "/apis/admissionregistration.k8s.io/v1"
PLURALS = {
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
}
NOW = datetime.now(UTC)
TODAY, TOMORROW = (f"{NOW + timedelta(days=days):%A}" for days in (0, 1))


def window(start: int, end: int) -> dict[str, str]:
    return {name: (NOW + timedelta(hours=hours)).isoformat() for name, hours in (("start", start), ("end", end))}


GUARDS = {
    "nothing": policy(rule("RateLimit", maxPerHour=0)),
    "names": policy(rule("RateLimit", maxPerMinute=0), selector={"sources": ["people"], "verbs": ["scale", "drain"]}),
    "small": policy(rule("Quota", maxReplicas=5), selector={"kinds": ["Deployment", "SentryModel"]}),
    "frozen": policy(rule("ChangeFreeze", windows=[window(-1, 1)], exemptSources=["inframind"])),
    "thawed": policy(rule("ChangeFreeze", windows=[window(-9, -1), window(1, 9)])),
    "today": policy(rule("ChangeFreeze", recurring=[{"days": [TODAY], "timezone": "UTC"}])),
    "tomorrow": policy(rule("ChangeFreeze", recurring=[{"days": [TOMORROW], "timezone": "UTC"}])),
    "abroad": policy(
        rule(
            "ChangeFreeze",
            recurring=[{"days": [TODAY, TOMORROW], "from": "22:00", "to": "10:00", "timezone": "Asia/Kolkata"}],
        )
    ),
    "breadth": policy(rule("BlastRadius", maxTargets=1)),
    "elsewhere": policy(rule("RateLimit", maxPerHour=0), selector={"namespaces": ["other"]}),
    "verbs": policy(rule("CEL", expression="decision.verb != 'drain' && identity.username != 'bob'")),
    "params": policy(rule("CEL", expression="decision.verb != 'scale' || int(decision.params.replicas) < 4")),
    "broken": policy(rule("CEL", expression="decision.params.replicas > 2")),
    "groups": policy(rule("CEL", expression="identity.groups.exists(group, group == 'ops')")),
}


def a_plan(*decisions: dict[str, Any], mode: str = "Enforce") -> dict[str, Any]:
    return {
        "apiVersion": ACTION_PLAN.api_version,
        "kind": "ActionPlan",
        "metadata": {"name": "plan"},
        "spec": {"planId": "a", "source": "b", "mode": mode, "decisions": list(decisions)},
    }


def elsewhere(decision: dict[str, Any]) -> dict[str, Any]:
    return {**decision, "target": {**decision["target"], "namespace": "other"}}


PLANS = [
    a_plan(raw_decision(params={"replicas": 3})),
    a_plan(raw_decision(params={"replicas": "9"})),
    a_plan(raw_decision("restart")),
    a_plan(elsewhere(raw_decision("restart"))),
    a_plan(raw_decision("drain", kind="Node", name="n1")),
    a_plan(raw_decision(params={"replicas": 1}), raw_decision("restart", id_="two")),
    a_plan(raw_decision("rollback", name="api"), raw_decision("abort", kind="SentryModel", id_="two")),
    a_plan(raw_decision("drain", kind="Node", name="n1"), mode="DryRun"),
]


@dataclass(frozen=True)
class Guarded:
    """A namespace to which one policy applies."""

    namespace: str
    guard: Policy


@pytest.fixture(scope="module")
def guarded(api: Client) -> Iterator[dict[str, Guarded]]:
    made: list[str] = []
    role = {"metadata": {"name": "plans-of-tests"}, "rules": [_everything()]}
    subjects = [{"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "system:authenticated"}]
    binding = {
        "metadata": {"name": "plans-of-tests"},
        "subjects": subjects,
        "roleRef": {"kind": "ClusterRole", "name": "plans-of-tests", "apiGroup": "rbac.authorization.k8s.io"},
    }
    for plural, body in (("clusterroles", role), ("clusterrolebindings", binding)):
        api.ok("POST", f"{RBAC}/{plural}", body)
        made.append(f"{RBAC}/{plural}/plans-of-tests")
    found = {}
    for name, guard in GUARDS.items():
        namespace = f"guarded-{name}"
        body = {"metadata": {"name": namespace, "labels": {"guarded-by": name}}}
        api.ok("POST", "/api/v1/namespaces", body)
        made.append(f"/api/v1/namespaces/{namespace}")
        named = Policy(name=name, spec=guard.spec)
        for manifest in compiled(named, [named, NAMES]).manifests:
            placed = copy.deepcopy(manifest)
            if "policyName" in placed["spec"]:
                placed["spec"]["matchResources"] = {"namespaceSelector": {"matchLabels": {"guarded-by": name}}}
            path = f"{POLICIES}/{PLURALS[placed['kind']]}"
            api.ok("POST", path, placed)
            made.append(f"{path}/{placed['metadata']['name']}")
        found[name] = Guarded(namespace, named)
    yield found
    for path in reversed(made):
        api.request("DELETE", path)


def _everything() -> dict[str, Any]:
    return {"apiGroups": ["sentinel.dev"], "resources": ["actionplans"], "verbs": ["create"]}


@pytest.fixture(scope="module")
def as_users(api_server: Cluster) -> Iterator[dict[str, Client]]:
    clients = {who.username: Impersonating(api_server, who) for who in USERS}
    yield clients
    for client in clients.values():
        client.close()


class Impersonating(Client):
    """Speaks as somebody else."""

    def __init__(self, cluster: Cluster, who: Identity) -> None:
        super().__init__(cluster.kubeconfig)
        self._authorization = {"Impersonate-User": who.username}
        if who.groups:
            (self._authorization["Impersonate-Group"],) = who.groups


def refused(client: Client, namespace: str, plan: dict[str, Any]) -> bool:
    status, answer = client.request("POST", f"{collection(ACTION_PLAN, namespace)}?dryRun=All", plan)
    if status < 300:
        return False
    assert status in (403, 422), answer  # 422 where the expression has no answer
    assert "ValidatingAdmissionPolicy 'sentinel-" in answer["message"], answer
    return True


@pytest.fixture(scope="module")
def in_force(guarded: dict[str, Guarded], as_users: dict[str, Client]) -> dict[str, Guarded]:
    """Every policy that refuses anything is seen to refuse it: the API server takes a second to know of one."""
    until = time.monotonic() + 60
    for each in guarded.values():
        refusing = [
            (who, plan)
            for who in USERS
            for plan in PLANS
            if ours_says(each, plan, who) and plan["spec"]["mode"] == "Enforce"
        ]
        while refusing and not refused(as_users[refusing[0][0].username], each.namespace, refusing[0][1]):
            assert time.monotonic() < until, f"{each.namespace} refuses nothing"
            time.sleep(0.2)
    return guarded


def ours_says(each: Guarded, plan: dict[str, Any], who: Identity) -> bool:
    """Our judge's verdict in the plan's own namespace, with the groups that the API server gives to everybody."""
    known = Identity(username=who.username, groups=who.groups | {"system:authenticated"})
    return plan["spec"]["mode"] == "Enforce" and ours([each.guard, NAMES], plan, known, NOW) == "Reject"


@pytest.mark.parametrize("name", GUARDS)
def test_the_api_server_refuses_what_our_own_judge_would(
    in_force: dict[str, Guarded], as_users: dict[str, Client], name: str
):
    each = in_force[name]
    (clause,) = compiled(each.guard, [each.guard, NAMES]).clauses
    verdicts = set()
    for who in USERS:
        for plan in PLANS:
            theirs, mine = refused(as_users[who.username], each.namespace, plan), ours_says(each, plan, who)
            told = f"{who.username}: {plan['spec']}"
            assert theirs == mine if clause.coverage == "Whole" else (mine or not theirs), told
            verdicts.add(theirs)
    assert verdicts, "something was asked"


def test_the_api_server_says_which_policy_and_why(in_force: dict[str, Guarded], as_users: dict[str, Client]):
    path = f"{collection(ACTION_PLAN, in_force['small'].namespace)}?dryRun=All"
    _, answer = as_users["alice"].request("POST", path, PLANS[1])
    assert "small (Quota): at most 5 replicas are allowed" in answer["message"]
