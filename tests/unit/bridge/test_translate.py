"""What a brain says becomes an ActionPlan that admission takes, or a refusal that names the field."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.brain.rpc import as_message
from sentinel_operator.api.actionverbs import KINDS_OF, PARAMS_OF
from sentinel_operator.bridge import decisions_pb2 as pb
from sentinel_operator.bridge.rpc import _read
from sentinel_operator.core.admission.actionplan import read as judged
from sentinel_operator.core.bridge.marks import ACKNOWLEDGED_AT, BRIDGE, CONTENT, is_bridged, label_of, lean, name_of
from sentinel_operator.core.bridge.target import Sought
from sentinel_operator.core.bridge.translate import Terms, plan_id_of, read, write
from sentinel_operator.core.bridge.words import Untranslatable

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
TERMS = Terms(namespace="sentinel-system", source="inframind", cluster_id="prod-01")


def translated(said: dict[str, Any], *there: str) -> dict[str, Any]:
    """Translates where every name is one of these kinds."""
    proposal = read(said, now=NOW)
    found = {each: frozenset(there) for each in proposal.sought(TERMS.namespace)}
    return write(proposal, found, TERMS)


def refusal(said: object, *there: str) -> str:
    with pytest.raises(Untranslatable) as caught:
        translated(said, *there)  # type: ignore[arg-type]
    return str(caught.value)


def one(**decision: Any) -> dict[str, Any]:
    return {"plan_id": "p", "decisions": [{"verb": "restart", "target": {"workload": "web"}, **decision}]}


def test_the_example_of_the_protocol_is_a_plan():
    said = {
        "plan_id": "5f3c0d0e-2f0e-4c38-9f7e-1a2b3c4d5e6f",
        "source": "inframind-brain",
        "created_at": "1769860800",
        "correlation_id": "c-9",
        "decisions": [
            {
                "verb": "scale",
                "target": {"workload": "embeddings-api", "namespace": "production", "cluster": "prod-01"},
                "params": {"replicas": "5", "reason": "queue grows", "estimated_cost_per_hour": "3.2"},
                "ttl": 900,
                "safety": {"rate_limit": 10, "window": "5m"},
            }
        ],
    }
    plan = translated(said, "SentryModel")
    assert plan["metadata"]["name"] == name_of(said["plan_id"])
    assert plan["metadata"]["labels"] == {BRIDGE: "prod-01"}
    assert plan["spec"] == {
        "planId": said["plan_id"],
        "source": "inframind",
        "correlationId": "c-9",
        "createdAt": "2026-01-31T12:00:00Z",
        "evidence": {
            "claimed-source": "inframind-brain",
            "d1.reason": "queue grows",
            "d1.estimated_cost_per_hour": "3.2",
        },
        "decisions": [
            {
                "id": "d1",
                "verb": "scale",
                "target": {
                    "apiVersion": "sentinel.dev/v1alpha1",
                    "kind": "SentryModel",
                    "name": "embeddings-api",
                    "namespace": "production",
                    "cluster": "prod-01",
                },
                "params": {"replicas": "5"},
                "ttl": "900s",
                "safety": {"rateLimit": 10, "window": "5m"},
            }
        ],
    }


def test_every_addition_of_the_protocol_has_its_place():
    said = {
        "plan_id": "all",
        "mode": "dry_run",
        "on_failure": "stop",
        "evidence": {"ticket": "OPS-1"},
        "confidence": 0.9,
        "verify": {
            "metrics": [
                {"name": "errors", "prometheus": {"address": "http://p:9090", "query": "up"}, "max": 0.01, "count": 2}
            ],
            "timeout": "5m",
        },
        "decisions": [
            {"id": "a", "verb": "drain", "target": {"node": "n1", "namespace": "ignored"}},
            {
                "id": "b",
                "action": "rollback",
                "target": {"name": "web", "kind": "Deployment"},
                "params": {"revision": "previous"},
                "depends_on": ["a"],
                "preconditions": {"uid": "u-1", "generation": "7"},
            },
        ],
    }
    spec = translated(said)["spec"]
    assert (spec["mode"], spec["onFailure"]) == ("DryRun", "Stop")
    assert spec["evidence"] == {"ticket": "OPS-1", "confidence": "0.9"}
    assert spec["verify"]["metrics"][0]["max"] == 0.01
    assert spec["decisions"][0]["target"] == {"apiVersion": "v1", "kind": "Node", "name": "n1"}
    assert spec["decisions"][1]["preconditions"] == {"uid": "u-1", "generation": 7}
    assert spec["decisions"][1]["dependsOn"] == ["a"]
    wire = {key: value for key, value in said.items() if key != "confidence"}
    message = as_message({**wire, "decisions": [said["decisions"][0]]})
    again = translated(_read(message))
    assert again["spec"]["decisions"][0] == spec["decisions"][0]
    assert again["spec"]["verify"] == spec["verify"]


@pytest.mark.parametrize(
    ("said", "there", "expected"),
    [
        ([], (), "a plan must be an object"),
        ({}, (), "decisions: must hold at least one decision"),
        ({"decisions": "scale"}, (), "decisions: must be a list"),
        ({"decisions": [1]}, (), "decisions[0]: must be an object"),
        ({"decisions": [{}] * 33}, (), "decisions: must have at most 32 items"),
        ({**one(), "priority": 1}, (), "priority: is not known"),
        ({**one(), "plan_id": "a b"}, (), "plan_id: must hold letters, digits"),
        ({**one(), "plan_id": "a" * 129}, (), "plan_id: must have at most 128 characters"),
        ({**one(), "created_at": -1}, (), "created_at: must be Unix time in seconds"),
        ({**one(), "created_at": "soon"}, (), "created_at: must be a whole number, not 'soon'"),
        ({**one(), "mode": "audit"}, (), "mode: must be one of Enforce, DryRun, Shadow, not 'audit'"),
        ({**one(), "verify": {"metrics": []}}, (), "verify.metrics: should have at least 1 items"),
        ({**one(), "verify": {"metrics": [{"name": "a"}]}}, (), "verify.metrics[0]: set exactly one of prometheus"),
        (one(verb="optimize"), (), "decisions[0].verb: must be one of scale, "),
        (one(verb=""), (), "decisions[0].verb: must be one of"),
        (one(verb="scale"), (), "decisions[0].params: must hold replicas"),
        (one(verb="scale", params={"replicas": "-1"}), (), "decisions[0].params: must hold replicas from 0"),
        (one(verb="scale", params={"replicas": 1e99}), (), "decisions[0].params.replicas: must be a whole number"),
        (one(verb="scale", params={"replicas": "99999"}), (), "decisions[0].params: must hold replicas from 0"),
        (one(verb="scale", params={"count": 2}), (), "decisions[0].params.count: is no parameter of scale"),
        (one(params={"revision": 2}), (), "decisions[0].params.revision: is no parameter of restart, which takes none"),
        (one(ttl=59), (), "decisions[0].ttl: must be from 60 to 3600 seconds, not 59"),
        (one(ttl="1h"), (), "decisions[0].ttl: must be a whole number"),
        (one(safety={"window": "5m"}), (), "decisions[0].safety.rate_limit: must be set"),
        (one(safety={"rate_limit": 1, "window": "1d"}), (), "decisions[0].safety.window: must be a duration"),
        (one(preconditions={"age": 1}), (), "decisions[0].preconditions.age: is not known"),
        (one(depends_on=["b"]), (), "decisions: must depend on other decisions"),
        (one(id="B!"), (), "decisions[0].id: must hold only lower-case"),
        (one(target={}), (), "decisions[0].target: must name its object"),
        (one(target={"workload": "a", "name": "b"}), (), "decisions[0].target.name: is another name than workload"),
        (one(target={"workload": "a", "node": "b"}), (), "decisions[0].target.node: stands beside workload"),
        (one(target={"workload": "a", "kind": "Pod"}), (), "decisions[0].target.kind: must be SentryModel or"),
        (one(target={"workload": "a", "app": "b"}), (), "decisions[0].target.app: is not known"),
        (one(target={"workload": "A_b"}), (), "decisions[0].target.name: must be the name of an object"),
        (one(target={"node": "n"}), (), "decisions[0].target.node: must be SentryModel or"),
        (
            one(verb="drain", target={"workload": "a", "kind": "Deployment"}),
            (),
            "decisions[0].target.kind: must be Node",
        ),
        (one(), (), "decisions[0].target.workload: there is no SentryModel or Deployment or StatefulSet web"),
        (
            one(),
            ("Deployment", "SentryModel"),
            "decisions[0].target.workload: web in sentinel-system is ambiguous, a SentryModel and a Deployment",
        ),
        (one(verb="promote"), ("Deployment",), "decisions[0].target.workload: there is no SentryModel web"),
    ],
    ids=str,
)
def test_what_is_no_plan_is_refused_by_its_field(said: Any, there: tuple[str, ...], expected: str):
    assert expected in refusal(said, *there)


def test_a_limit_of_zero_is_one_and_a_zero_that_protobuf_leaves_out_is_nothing():
    message = pb.ActionPlan(plan_id="p")
    decision = message.decisions.add(verb="restart", target={"name": "web", "kind": "Deployment"})
    plain = translated(_read(message))["spec"]["decisions"][0]
    assert set(plain) == {"id", "verb", "target"}
    decision.safety.window = "1h"
    assert translated(_read(message))["spec"]["decisions"][0]["safety"] == {"rateLimit": 0, "window": "1h"}


def test_evidence_is_bounded_and_never_a_parameter():
    decisions = [
        {"verb": "restart", "target": {"name": "a"}, "params": {"reason": "x" * 5000, "total_gpus": 8}}
        for _ in range(32)
    ]
    spec = translated({"plan_id": "p", "decisions": decisions}, "Deployment")["spec"]
    assert len(spec["evidence"]) == 32
    assert spec["evidence"]["left-out"] == "33 more"
    assert max(map(len, spec["evidence"].values())) == 1024
    assert not any("params" in each for each in spec["decisions"])


def test_what_is_done_makes_the_content_and_not_who_says_so_or_when():
    first = read(one(), now=NOW)
    assert read({**one(params={"reason": "b"}), "source": "x", "created_at": 1}, now=NOW).content == first.content
    assert read(one(verb="rollback"), now=NOW).content != first.content
    assert read(one(target={"workload": "other"}), now=NOW).content != first.content
    assert read({**one(), "mode": "Shadow"}, now=NOW).content != first.content


def test_a_plan_without_an_id_is_the_same_for_an_hour():
    said = {"decisions": one()["decisions"]}
    first, same = read(said, now=NOW), read(said, now=NOW.replace(minute=59))
    assert first.plan_id == same.plan_id != read(said, now=NOW.replace(hour=13)).plan_id
    assert plan_id_of(said) == ""


@pytest.mark.parametrize(
    ("plan_id", "label"), [("A" * 128, "x" * 64), ("---", "a/b"), ("é", ""), ("Plan_1:2", "prod 1")]
)
def test_names_and_labels_are_such_as_the_api_server_takes(plan_id: str, label: str):
    name = name_of(plan_id)
    assert len(name) <= 52
    assert name[-1].isalnum()
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert label_of(label) == "true"
    assert label_of("prod-01") == "prod-01"


def test_a_plan_is_the_bridges_by_its_name_and_its_maker_and_not_by_a_label():
    plan = translated(one(), "Deployment")
    assert is_bridged(plan, "bridge")
    stamp = json.dumps({"username": "mallory", "groups": []})
    made_by_another = {**plan, "metadata": {**plan["metadata"], "annotations": {"sentinel.dev/requester": stamp}}}
    assert not is_bridged(made_by_another, "bridge")
    assert not is_bridged({**plan, "metadata": {**plan["metadata"], "name": "mine"}}, "bridge")
    assert CONTENT in plan["metadata"]["annotations"]


# ------------------------------------------------------------------------------------------------ whatever a brain says

_WORDS = st.sampled_from(["web", "fraud", "", "A!", "previous", "3", "-1", "99999", "5m", "x" * 300])
_VALUES = st.one_of(_WORDS, st.integers(-5, 10_000), st.floats(), st.booleans(), st.none())
_TARGETS = st.dictionaries(
    st.sampled_from(["workload", "deployment", "name", "node", "namespace", "cluster", "kind", "apiVersion", "app"]),
    st.one_of(_WORDS, st.sampled_from(["SentryModel", "Deployment", "Node", "apps/v1", "v1"]), _VALUES),
    max_size=4,
)
_PARAMS = st.dictionaries(
    st.sampled_from(["replicas", "node", "revision", "step", "full", "reason", "total_gpus", "other"]),
    _VALUES,
    max_size=3,
)
_DECISIONS = st.fixed_dictionaries(
    {"verb": st.sampled_from([*PARAMS_OF, "optimize"]), "target": _TARGETS},
    optional={
        "id": _WORDS,
        "params": _PARAMS,
        "ttl": st.one_of(st.integers(0, 4000), _VALUES),
        "safety": st.one_of(st.none(), st.fixed_dictionaries({"rate_limit": _VALUES}, optional={"window": _WORDS})),
        "depends_on": st.lists(_WORDS, max_size=2),
        "preconditions": st.dictionaries(st.sampled_from(["uid", "generation", "metrics"]), _VALUES, max_size=2),
    },
)
_PLANS = st.fixed_dictionaries(
    {"decisions": st.lists(_DECISIONS, max_size=3)},
    optional={
        "plan_id": _VALUES,
        "source": _VALUES,
        "created_at": _VALUES,
        "mode": _VALUES,
        "on_failure": _VALUES,
        "evidence": st.one_of(_VALUES, st.dictionaries(_WORDS, _VALUES, max_size=3)),
        "verify": st.one_of(st.none(), st.dictionaries(st.sampled_from(["metrics", "timeout"]), _VALUES)),
    },
)


@settings(max_examples=400, deadline=None)
@given(said=_PLANS, there=st.sets(st.sampled_from(["SentryModel", "Deployment", "StatefulSet"])))
def test_whatever_is_said_is_a_plan_that_admission_takes_or_is_refused(said: dict[str, Any], there: set[str]):
    try:
        plan = translated(said, *there)
    except Untranslatable:
        return
    assert judged(plan)[1] == ()
    assert json.loads(json.dumps(plan, allow_nan=False)) == plan
    for decision in plan["spec"]["decisions"]:
        assert decision["target"]["kind"] in KINDS_OF[decision["verb"]]
        assert set(decision.get("params", {})) <= set(PARAMS_OF[decision["verb"]])
    assert plan["spec"]["source"] == TERMS.source


_ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=12), inner, max_size=4)),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(said=st.one_of(_ANYTHING, st.fixed_dictionaries({"plan_id": _ANYTHING, "decisions": _ANYTHING})))
def test_no_json_at_all_breaks_it(said: Any):
    assert isinstance(plan_id_of(said), str)
    with pytest.raises(Untranslatable):
        read(said, now=NOW)


@given(plan_id=st.text(max_size=128), other=st.text(max_size=128))
def test_a_plan_id_has_one_name_and_no_other_has_it(plan_id: str, other: str):
    assert name_of(plan_id) == name_of(plan_id)
    assert (name_of(plan_id) == name_of(other)) == (plan_id == other)


def test_sought_is_what_is_said_where_nothing_is_said_in_the_plans_own_namespace():
    (sought,) = read(one(verb="pause"), now=NOW).sought("ns")
    assert sought == Sought(
        field="decisions[0].target.workload", namespace="ns", name="web", kinds=("SentryModel", "Deployment")
    )


def test_of_a_plan_that_the_brain_knows_hardly_anything_is_remembered():
    plan = translated(one(), "Deployment")
    plan["metadata"]["resourceVersion"] = "7"
    plan["status"] = {"state": "Completed", "trace": [{}] * 500}
    assert lean(plan) is plan
    plan["metadata"]["annotations"][ACKNOWLEDGED_AT] = "2026-01-31T12:00:00Z"
    kept = lean(plan)
    assert (kept["spec"], kept["status"]) == ({"planId": "p"}, {"state": "Completed"})
    assert is_bridged(kept, "bridge")
    assert kept["metadata"]["annotations"][CONTENT] == plan["metadata"]["annotations"][CONTENT]
