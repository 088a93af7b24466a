"""`policy test`: what policies would make of plans, judged without a cluster; and what `explain` shows."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from sentinel_operator.api.actionstatus import ActionPlanStatus, TraceEntry, Transition
from sentinel_operator.cli.__main__ import app
from sentinel_operator.cli.explain import _told
from sentinel_operator.cli.trace import tree

ROOT = Path(__file__).parents[3]
WORLD = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: models}
spec: {replicas: 2, template: {spec: {containers: []}}}
---
apiVersion: sentinel.dev/v1alpha1
kind: ActionPolicy
metadata: {name: small}
spec: {sources: [{name: brain, users: [bob]}], rules: [{type: Quota, quota: {maxReplicas: 3}}]}
---
apiVersion: sentinel.dev/v1alpha1
kind: ActionPlan
metadata: {name: grow, namespace: models%s}
spec:
  planId: a
  source: %s
  decisions:
    - {id: g, verb: scale, target: {apiVersion: apps/v1, kind: Deployment, name: web}, params: {replicas: %s}}
"""


def judge(tmp_path: Path, *, replicas: str = "3", source: str = "alice", requester: str = "") -> tuple[int, str]:
    stamp = f', annotations: {{sentinel.dev/requester: \'{{"username": "{requester}", "groups": []}}\'}}'
    file = tmp_path / "world.yaml"
    file.write_text(WORLD % (stamp if requester else "", source, replicas))
    done = CliRunner().invoke(app, ["policy", "test", str(file)])
    return done.exit_code, done.stdout + done.stderr


def test_what_the_policies_let_pass_is_0(tmp_path: Path) -> None:
    code, said = judge(tmp_path)
    assert (code, said.splitlines()[0]) == (0, "grow: Pass")
    assert "[0] Quota Holds" in said


def test_what_they_reject_is_1_and_says_by_which_rule(tmp_path: Path) -> None:
    code, said = judge(tmp_path, replicas="'4'")
    assert code == 1
    assert "grow: Reject: g: small (Quota): 4 replicas are asked for, at most 3 are allowed" in said
    assert "maxReplicas = 3" in said


def test_who_it_says_it_is_from_must_be_who_created_it(tmp_path: Path) -> None:
    assert judge(tmp_path, source="brain", requester="bob")[0] == 0
    code, said = judge(tmp_path, source="brain", requester="alice")
    assert (code, "spec.source: brain is not who created it" in said) == (1, True)


def test_files_without_a_plan_are_usage(tmp_path: Path) -> None:
    file = tmp_path / "none.yaml"
    file.write_text(WORLD.split("---")[1])
    assert CliRunner().invoke(app, ["policy", "test", str(file)]).exit_code == 2


def test_our_examples_are_understood() -> None:
    actions = ROOT / "examples" / "actions"
    files = [str(actions / name) for name in ("policy-team.yaml", "scale.yaml")]
    assert CliRunner().invoke(app, ["policy", "test", *files]).exit_code in (0, 1)


def test_a_trace_is_a_tree_of_decisions_policies_and_rules() -> None:
    entries = [
        TraceEntry(
            decision="d", policy="p", priority=5, rule="Quota", verdict="Holds", effect="Pass", inputs={"a": "1"}
        ),
        TraceEntry(
            decision="d", policy="p", priority=5, rule="CEL", index=1, verdict="Violated", effect="Reject", message="no"
        ),
        TraceEntry(decision="d", policy="q", mode="Audit", rule="SLO", verdict="Violated", effect="Log"),
    ]
    assert [str(line) for line in tree(entries)] == [
        "  d",
        "    p (priority 5)",
        "      [0] Quota Holds",
        "          a = 1",
        "      [1] CEL Violated -> Reject: no",
        "    q (priority 0, Audit: keeps nothing back)",
        "      [0] SLO Violated -> Log",
    ]


def test_a_plan_tells_which_way_it_went_and_what_the_sink_of_events_knows_of_it() -> None:
    history = [
        Transition(number=1, state="Pending", at="2026-01-30T12:00:00Z", message="created"),
        Transition(number=2, state="Rejected", at="2026-01-30T12:00:01Z", message="no"),
    ]
    status = ActionPlanStatus(state="Rejected", message="no", history=history)
    raw = {"metadata": {"name": "grow"}}
    came = ["  2026-01-30T12:00:00Z   Pending    created", "  2026-01-30T12:00:01Z   Rejected   no"]
    assert [str(line) for line in _told(raw, status)][-3:] == ["Came to", *came]
    status = status.model_copy(update={"published": 2, "publish_refused": 1})
    told = "Came to (the sink of events was told of 2, which refused 1)"
    assert [str(line) for line in _told(raw, status)][-3:] == [told, *came]
