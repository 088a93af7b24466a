"""What each verb would change on each kind, when that has taken effect, and what it cannot do."""

from __future__ import annotations

from typing import Any

import pytest

from sentinel_operator.api.actionplan import Decision
from sentinel_operator.api.actionverbs import KINDS_OF
from sentinel_operator.api.rollout import RolloutSpec
from sentinel_operator.core.actionplan.edits import merge_patch, merged
from sentinel_operator.core.actionplan.verbs import VERBS
from sentinel_operator.core.actionplan.verbs.case import Case, Refusal
from sentinel_operator.core.actionplan.view import TargetView
from tests.unit.actionplan.world import NOW, Raw, a_decision, a_deployment, a_node, a_pod, a_template


def numbered(raw: Raw, generation: int = 1) -> Raw:
    raw["metadata"] |= {"uid": f"u-{raw['metadata']['name']}", "generation": generation, "resourceVersion": "1"}
    return raw


def ready(raw: Raw, **status: Any) -> Raw:
    wanted = raw["spec"].get("replicas", 1)
    counts = {"replicas": wanted, "readyReplicas": wanted, "updatedReplicas": wanted}
    return {**raw, "status": {"observedGeneration": raw["metadata"]["generation"], **counts, **status}}


def counted(model: Raw, *, ready: int, there: int) -> Raw:
    status = {**model["status"], "readyReplicas": ready, "replicas": there}
    return {**model, "spec": {**model["spec"], "replicas": 2}, "status": status}


def a_stateful_set(**spec: Any) -> Raw:
    return numbered({**a_deployment("store", **spec), "kind": "StatefulSet"})


def a_model(**rollout: Any) -> Raw:
    status = {
        "observedGeneration": 1,
        "readyReplicas": 2,
        "replicas": 2,
        "rollout": {"phase": "Progressing", "stable": "aaa", "candidate": "bbb", "step": 1, "attempt": 2, **rollout},
        "revisions": [
            {"revision": "bbb"},
            {"revision": "aaa", "promotedAt": "2026-01-02T00:00:00Z"},
            {"revision": "zzz", "promotedAt": "2026-01-01T00:00:00Z"},
        ],
    }
    metadata = {"name": "fraud", "namespace": "shop"}
    return numbered(
        {
            "apiVersion": "sentinel.dev/v1alpha1",
            "kind": "SentryModel",
            "metadata": metadata,
            "spec": {"replicas": 2, "rollout": {"strategy": "Canary", "paused": "bbb"}},
            "status": status,
        }
    )


def a_replica_set(number: int, image: str) -> Raw:
    metadata = {"name": f"web-{number}", "annotations": {"deployment.kubernetes.io/revision": str(number)}}
    template = a_template(image, **{"pod-template-hash": str(number)})
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": {"template": template}}


def a_controller_revision(number: int, image: str) -> Raw:
    template = {**a_template(image), "$patch": "replace"}
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {"name": f"store-{number}"},
        "revision": number,
        "data": {"spec": {"template": template}},
    }


def case(verb: str, raw: Raw | None, *, params: Raw | None = None, cordon: bool = False, **view: Any) -> Case:
    kind, name = (raw["kind"], raw["metadata"]["name"]) if raw else ("Deployment", "web")
    more = {"params": params} if params else {}
    nodes = {name: numbered(a_node(name)) for name in ("n1", "n2")}
    return Case(
        decision=Decision.model_validate(a_decision(verb, name, kind=kind, **more)),
        view=TargetView(raw=raw, **view),
        nodes=nodes,
        now=NOW,
        may_cordon=cordon,
    )


HISTORY = {"revisions": (a_replica_set(1, "web:0"), a_replica_set(2, "web:1"), a_replica_set(3, "web:2"))}
CASES: dict[str, tuple[Case, Raw]] = {
    "scale a Deployment": (
        case("scale", numbered(a_deployment()), params={"replicas": "7"}),
        {"spec": {"replicas": 7}},
    ),
    "scale a StatefulSet to nothing": (
        case("scale", a_stateful_set(), params={"replicas": 0}),
        {"spec": {"replicas": 0}},
    ),
    "scale a SentryModel": (case("scale", a_model(), params={"replicas": 4}), {"spec": {"replicas": 4}}),
    "restart a Deployment": (
        case("restart", numbered(a_deployment())),
        {
            "spec": {
                "template": {
                    "metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-01-30T12:00:00.000000Z"}}
                }
            }
        },
    ),
    "roll a Deployment back": (
        case("rollback", numbered(a_deployment()), **HISTORY),
        {"spec": {"template": {"spec": {"containers": a_template("web:1")["spec"]["containers"]}}}},
    ),
    "roll a Deployment back to a revision": (
        case("rollback", numbered(a_deployment()), params={"revision": "1"}, **HISTORY),
        {"spec": {"template": {"spec": {"containers": a_template("web:0")["spec"]["containers"]}}}},
    ),
    "roll a StatefulSet back": (
        case(
            "rollback",
            a_stateful_set(),
            revisions=(a_controller_revision(4, "web:1"), a_controller_revision(5, "web:2")),
        ),
        {"spec": {"template": {"spec": {"containers": a_template("web:1")["spec"]["containers"]}}}},
    ),
    "roll a SentryModel back while a rollout is under way": (
        case("rollback", a_model()),
        {"spec": {"rollout": {"paused": None, "rollbackTo": {"revision": "aaa", "insteadOf": "bbb"}}}},
    ),
    "roll a SentryModel back at rest": (
        case("rollback", a_model(candidate="", phase="Stable")),
        {"spec": {"rollout": {"paused": None, "rollbackTo": {"revision": "zzz", "insteadOf": "aaa"}}}},
    ),
    "promote past the step": (
        case("promote", a_model()),
        {"spec": {"rollout": {"paused": None, "promote": {"revision": "bbb", "attempt": 2, "full": False, "step": 1}}}},
    ),
    "promote in full": (
        case("promote", a_model(), params={"full": "true", "revision": "bbb"}),
        {"spec": {"rollout": {"paused": None, "promote": {"revision": "bbb", "attempt": 2, "full": True}}}},
    ),
    "abort": (case("abort", a_model()), {"spec": {"rollout": {"paused": None, "abort": "bbb"}}}),
    "pause a Deployment": (case("pause", numbered(a_deployment())), {"spec": {"paused": True}}),
    "drain": (case("drain", numbered(a_node("n1"))), {"spec": {"unschedulable": True}}),
}


@pytest.mark.parametrize(("asked", "wanted"), CASES.values(), ids=CASES)
def test_it_changes_just_that_and_can_be_taken_back(asked: Case, wanted: Raw):
    (intent,) = VERBS[asked.decision.verb].intents(asked)
    assert merge_patch(intent.edits) == wanted
    after = merged(asked.live, merge_patch(intent.edits))
    assert merged(after, merge_patch(intent.inverse().edits)) == asked.live


@pytest.mark.parametrize(
    "asked",
    [
        case("promote", a_model()),
        case("promote", a_model(), params={"full": "true"}),
        case("abort", a_model()),
        case("rollback", a_model()),
    ],
)
def test_an_order_says_all_that_the_api_server_would_put_in_by_itself(asked: Case):
    """What is there afterwards has to be what was recorded, or it would look like somebody else's."""
    (intent,) = VERBS[asked.decision.verb].intents(asked)
    written = merged({}, merge_patch(intent.edits))["spec"]["rollout"]
    defaulted = RolloutSpec.model_validate(written).model_dump(by_alias=True, exclude_none=True, mode="json")
    assert {name: defaulted[name] for name in written} == written


def test_every_verb_is_there_for_every_kind_that_may_have_it():
    assert set(VERBS) == set(KINDS_OF)


def test_a_paused_rollout_that_is_paused_already_needs_nothing():
    (intent,) = VERBS["pause"].intents(case("pause", a_model()))
    assert intent.edits == ()


def test_a_restarted_model_restarts_the_revisions_that_have_pods():
    children = tuple(numbered(a_deployment(f"fraud-{name}", replicas=n)) for name, n in (("a", 2), ("b", 1), ("c", 0)))
    intents = VERBS["restart"].intents(case("restart", a_model(), deployments=children))
    assert [each.ref.name for each in intents] == ["fraud-a", "fraud-b"]


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (case("restart", None), "there is no Deployment web"),
        (case("scale", numbered(a_deployment()), params={"replicas": 1}, autoscaler="web"), "are set by web"),
        (case("rollback", numbered(a_deployment())), "there is no earlier revision"),
        (case("rollback", numbered(a_deployment()), params={"revision": 9}, **HISTORY), "there is no revision 9"),
        (case("rollback", numbered(a_deployment()), params={"revision": "x"}, **HISTORY), "'x' is no number"),
        (case("rollback", a_model(), params={"revision": "nope"}), "there is no revision nope"),
        (case("rollback", a_model(), params={"revision": "bbb"}), "is the one that its spec asks for"),
        (case("promote", a_model(candidate="")), "no rollout is under way"),
        (case("abort", a_model(), params={"revision": "ccc"}), "revision bbb is under way, not ccc"),
        (case("restart", a_model()), "none of its revisions has pods"),
        (case("restart", a_stateful_set(updateStrategy={"type": "OnDelete"})), "OnDelete"),
        (case("restart", numbered(a_deployment(paused=True))), "it is paused"),
        (case("reschedule", numbered(a_deployment()), params={"node": "n9"}), "there is no node n9"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_done_says_why(asked: Case, why: str):
    with pytest.raises(Refusal, match=why):
        VERBS[asked.decision.verb].intents(asked)


@pytest.mark.parametrize(
    ("verb", "raw", "said"),
    [
        ("restart", ready(numbered(a_deployment())), ""),
        ("restart", ready(numbered(a_deployment(), 2), observedGeneration=1), "has not seen the change yet"),
        ("restart", ready(numbered(a_deployment()), updatedReplicas=1), "1 of 3 pods"),
        ("restart", ready(numbered(a_deployment()), replicas=4), "3 of 3 pods"),
        ("restart", ready(a_stateful_set(), updatedReplicas=0, currentRevision="a", updateRevision="a"), ""),
        ("restart", ready(a_stateful_set(), updatedReplicas=1, currentRevision="a", updateRevision="b"), "1 of 3"),
        ("scale", counted(a_model(candidate=""), ready=2, there=2), ""),
        ("scale", counted(a_model(candidate=""), ready=2, there=3), "2 of 2 replicas"),
        ("scale", counted(a_model(), ready=2, there=3), ""),
        ("scale", counted(a_model(), ready=1, there=3), "1 of 2 replicas"),
        ("pause", ready(numbered(a_deployment())), ""),
        ("abort", {**a_model(candidate=""), "spec": {"rollout": {"abort": "bbb"}}}, ""),
        ("abort", {**a_model(), "spec": {"rollout": {"abort": "bbb"}}}, "is being taken back"),
        ("promote", {**a_model(step=2), "spec": {"rollout": {"promote": {"revision": "bbb", "step": 1}}}}, ""),
        ("promote", {**a_model(), "spec": {"rollout": {"promote": {"revision": "bbb", "step": 1}}}}, "is at step 1"),
        (
            "promote",
            {
                **a_model(stable="bbb", candidate=""),
                "spec": {"rollout": {"promote": {"revision": "bbb", "full": True}}},
            },
            "",
        ),
        ("rollback", {**a_model(candidate=""), "spec": {"rollout": {"rollbackTo": {"revision": "aaa"}}}}, ""),
        ("rollback", {**a_model(), "spec": {"rollout": {"rollbackTo": {"revision": "aaa"}}}}, "is on its way"),
    ],
    ids=str,
)
def test_it_waits_until_the_change_has_taken_effect(verb: str, raw: Raw, said: str):
    children = () if raw["kind"] != "SentryModel" else (ready(numbered(a_deployment("fraud-a"))),)
    asked = case(verb, raw, deployments=children)
    done = ()
    if verb == "restart":
        done = VERBS["restart"].intents(asked)
    waiting = VERBS[verb].waits_for(asked, done)
    assert said in waiting
    assert bool(said) == bool(waiting)


def test_pods_of_a_workload_leave_and_only_those():
    pods = (a_pod("web-1", "n1"), a_pod("web-2", "n2"))
    for each in pods:
        each["metadata"]["uid"] = f"u-{each['metadata']['name']}"
    asked = case("reschedule", numbered(a_deployment()), params={"node": "n1"}, cordon=True, pods=pods)
    cordoned, moved = VERBS["reschedule"].intents(asked)
    assert (cordoned.ref.kind, cordoned.temporary, merge_patch(cordoned.edits)) == (
        "Node",
        True,
        {"spec": {"unschedulable": True}},
    )
    assert moved.evict == ("u-web-1",)
    elsewhere = case("reschedule", numbered(a_deployment()), params={"node": "n1"}, pods=pods)
    assert [each.ref.kind for each in VERBS["reschedule"].intents(elsewhere)] == ["Deployment"]
