"""`policy bench`: what is measured, kept and compared. No test looks at a real clock."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sentinel_operator.cli.__main__ import app
from sentinel_operator.cli.bench import Figures, measured
from sentinel_operator.cli.outcome import Exit, Failed
from sentinel_operator.cli.policybench import Asked, policy_bench
from sentinel_operator.cli.recorded import recorded
from sentinel_operator.core.actionplan.facts import facts_of

WORLD = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: models}
spec: {replicas: 2, template: {spec: {containers: []}}}
---
apiVersion: sentinel.dev/v1alpha1
kind: ActionPolicy
metadata: {name: small}
spec:
  rules:
    - {type: Quota, quota: {maxReplicas: 3}}
    - {type: CEL, cel: {expression: "target.replicas < 5"}}
---
apiVersion: sentinel.dev/v1alpha1
kind: ActionPolicy
metadata: {name: elsewhere}
spec: {selector: {namespaces: [another]}, rules: [{type: Quota, quota: {maxReplicas: 1}}]}
---
apiVersion: sentinel.dev/v1alpha1
kind: ActionPlan
metadata: {name: grow, namespace: models}
spec:
  planId: a
  source: alice
  decisions:
    - {id: g, verb: scale, target: {apiVersion: apps/v1, kind: Deployment, name: web}, params: {replicas: 3}}
"""


@pytest.fixture
def world(tmp_path: Path) -> str:
    file = tmp_path / "world.yaml"
    file.write_text(WORLD)
    return str(file)


def ticking(seconds: float) -> Callable[[], float]:
    """A clock by which everything takes the same time."""
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += seconds
        return now

    return clock


def scripted(*durations: float) -> Callable[[], float]:
    """A clock by which one thing after the other takes as long as is said."""
    readings = [moment for end, taken in zip(_ends(durations), durations, strict=True) for moment in (end - taken, end)]
    return iter(readings).__next__


def _ends(durations: Sequence[float]) -> list[float]:
    return [sum(durations[: index + 1]) for index in range(len(durations))]


def test_a_quantile_is_one_of_the_times() -> None:
    assert Figures.of([3.0]) == Figures(3.0, 3.0)
    assert Figures.of([float(each) for each in range(1, 101)]) == Figures(51.0, 100.0)


def test_each_rule_is_measured_and_the_dearest_is_told_of_first(world: str) -> None:
    found = recorded([world])
    (plan,) = found.plans
    cases = [facts_of(plan, each) for each in plan.plan.decisions]
    # The calibration loop, a decision, the loop again; then the two rules of the one policy that matches.
    run = measured(found.policies, cases, repeat=1, clock=scripted(2.0, 10.0, 4.0, 1.0, 3.0))
    assert (run.decision, run.calibration, run.per_second) == (Figures(10.0, 10.0), 3.0, 0.1)
    (policy,) = run.policies
    assert (policy.name, policy.decisions, policy.figures) == ("small", 1, Figures(4.0, 4.0))
    assert [(each.index, each.type, each.figures.p50) for each in policy.rules] == [(1, "CEL", 3.0), (0, "Quota", 1.0)]


def test_what_is_kept_is_in_units_of_the_loop_so_that_another_machine_compares(
    world: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "baseline.json"
    asked = Asked(files=[world], save=str(kept), repeat=20)
    assert policy_bench(asked, clock=ticking(0.25)) == Exit.OK
    said = capsys.readouterr().out
    assert "decisions 1, plans 1, policies 2, rules 3; each decision judged 20 times" in said
    assert "a decision         250.000 ms   250.000 ms   4 decisions/s" in said
    written = json.loads(kept.read_text())
    assert (written["calibration"], written["decision"]) == (0.25, {"p50": 1.0, "p99": 1.0})
    assert set(written["rules"]) == {"small[0] Quota", "small[1] CEL"}
    again = Asked(files=[world], baseline=str(kept), threshold=1.0, repeat=5)
    assert policy_bench(again, clock=ticking(2.0)) == Exit.OK, "eight times slower, and so is its loop"
    assert "a decision, p99: 1.00 times the baseline" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "threshold", "code"), [("p50", 1.25, 1), ("p99", 1.25, 1), ("p50", 2.5, 0)])
def test_what_takes_longer_than_the_threshold_is_1_and_the_rules_that_do_are_named(
    world: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, threshold: float, code: int
) -> None:
    kept = tmp_path / "baseline.json"
    policy_bench(Asked(files=[world], save=str(kept), repeat=5), clock=ticking(1.0))
    before = json.loads(kept.read_text())
    before["decision"][name] = before["rules"]["small[1] CEL"]["p50"] = 0.5
    kept.write_text(json.dumps(before))
    asked = Asked(files=[world], baseline=str(kept), threshold=threshold, repeat=5)
    assert policy_bench(asked, clock=ticking(1.0)) == code
    said = capsys.readouterr().out
    assert f"a decision, {name}: 2.00 times the baseline" in said
    assert ("small[1] CEL: 2.00 times" in said) == bool(code)
    assert "small[0] Quota: " not in said


def test_a_baseline_of_other_policies_is_said_to_be(
    world: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "baseline.json"
    policy_bench(Asked(files=[world], save=str(kept), repeat=1), clock=ticking(1.0))
    Path(world).write_text(WORLD.replace("maxReplicas: 3", "maxReplicas: 4"))
    policy_bench(Asked(files=[world], baseline=str(kept), repeat=1), clock=ticking(1.0))
    assert "is of other policies or plans" in capsys.readouterr().out


def bench(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["policy", "bench", "--repeat", "1", *arguments])
    return done.exit_code, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (WORLD.replace("maxReplicas: 3", "maxReplicas: many"), "small: spec.rules[0].quota.maxReplicas: "),
        (WORLD.replace("verb: scale", "verb: grow"), "grow: spec.decisions[0].verb: "),
        (WORLD.replace("name: small", "label: small"), "actionpolicy: metadata.name: Required value"),
        (WORLD + "---\nkind: SentinelConfig\nmetadata: {name: default}\nspec: {clusterId: 5}", "spec.clusterId: "),
        (WORLD.split("---", maxsplit=1)[0], "there is no ActionPlan"),
        (WORLD.split("---")[3], "there is no ActionPolicy"),
        ("[1", "is no YAML"),
        ("5", "holds something that is no Kubernetes object"),
    ],
)
def test_files_that_cannot_be_judged_are_2_and_name_the_file_and_the_field(world: str, text: str, said: str) -> None:
    Path(world).write_text(text)
    code, told = bench(world)
    assert (code, said in told) == (2, True), told
    assert "world.yaml" in told or "in these files" in told


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no JSON"),
        ("[]", "must be of type object"),
        ("{}", "inputs: Required value; calibration: Required value"),
        ('{"decision": {"p50": 0}}', "decision.p50: should be greater than 0"),
        ('{"version": 2}', "version: "),
        (None, "No such file"),
    ],
)
def test_a_baseline_that_cannot_be_read_is_2_and_names_the_file_and_the_field(
    world: str, tmp_path: Path, text: str | None, said: str
) -> None:
    kept = tmp_path / "baseline.json"
    if text is not None:
        kept.write_text(text)
    code, told = bench(world, "--baseline", str(kept))
    assert (code, "baseline.json: " in told, said in told) == (2, True, True), told


def test_flags_that_mean_nothing_are_2(world: str, tmp_path: Path) -> None:
    code, said = bench(world, "--threshold", "0.5")
    assert (code, "--threshold 0.5: must be at least 1" in said) == (2, True)
    assert bench(world, "--repeat", "0")[0] == 2
    code, said = bench(world, "--save", str(tmp_path / "none" / "file"))
    assert (code, "--save: " in said) == (2, True)


def test_by_a_clock_that_stands_still_nothing_is_told(world: str) -> None:
    with pytest.raises(Failed, match="too coarse"):
        policy_bench(Asked(files=[world], repeat=1), clock=lambda: 0.0)
