"""What an analysis may say: each rule has one verdict, whoever evaluates it, and the schema fits in a CRD."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import celpy
import pytest
from pydantic import ValidationError

from sentinel_operator.api.analysis import AnalysisSpec, AnalysisStatus, borne_failures, measurements
from sentinel_operator.api.base import Model
from sentinel_operator.api.rules import VALIDATIONS
from sentinel_operator.core.analysis.check import problems
from sentinel_operator.crdgen.schema import structural
from sentinel_operator.crdgen.structure import problems as schema_problems
from sentinel_operator.crdgen.structure import unbounded

PROMETHEUS = {"address": "http://prometheus.monitoring:9090", "query": "up"}


class Holder(Model):
    """Something that has an analysis."""

    analysis: AnalysisSpec = AnalysisSpec()
    """What is measured."""
    status: AnalysisStatus = AnalysisStatus()
    """Where it stands."""


SCHEMA = structural(Holder)
METRIC = SCHEMA["properties"]["analysis"]["properties"]["metrics"]["items"]


def metric(**fields: Any) -> dict[str, Any]:
    return {"name": "m", **fields}


ACCEPTED = {
    "a built-in with its own bound": metric(builtin="error-rate"),
    "a built-in with a ratio": metric(builtin="latency-p99", maxRatio=2),
    "a built-in with an absolute bound": metric(builtin="health-score", min=0.9),
    "a query": metric(prometheus=PROMETHEUS, max=1),
    "a query with stable's value": metric(prometheus={**PROMETHEUS, "baselineQuery": "up"}, maxRatio=1.1),
    "a condition": metric(prometheus=PROMETHEUS, successCondition="result < 1", failureCondition="result > 2"),
    "an answer of somebody": metric(
        web={"url": "https://a.example/x?y=1", "headers": [{"name": "X", "value": "y"}]}, min=1,
    ),
    "a Job, once, by its outcome": metric(job={"template": {"spec": {"template": {}}}}),
    "one measurement, no failure borne": metric(builtin="error-rate", count=1, failureLimit=0),
}  # fmt: skip
REFUSED = {
    "nothing to measure": (metric(max=1), ""),
    "two things to measure": (metric(builtin="error-rate", prometheus=PROMETHEUS, max=1), ""),
    "a query without a bound": (metric(prometheus=PROMETHEUS), ""),
    "bounds and conditions": (metric(builtin="error-rate", max=1, successCondition="result < 1"), ""),
    "a ratio without stable's value": (metric(prometheus=PROMETHEUS, maxRatio=1.1), ".maxRatio"),
    "a ratio of a comparison": (metric(builtin="score-psi", maxRatio=1.1), ".maxRatio"),
    "an empty range": (metric(builtin="error-rate", min=2, max=1), ".min"),
    "more failures borne than measured": (metric(builtin="error-rate", failureLimit=5), ".failureLimit"),
    "a Job that may not fail": (metric(job={"template": {"spec": {}}}, failureLimit=1), ".failureLimit"),
    "a header of the connection": (
        metric(web={"url": "http://a/", "headers": [{"name": "hOsT", "value": "b"}]}, max=1), ".web.headers.0.name",
    ),
    "a header without a value": (metric(web={"url": "http://a/", "headers": [{"name": "X"}]}, max=1), ".web.headers.0"),
    "credentials in an address": (metric(web={"url": "http://u:p@a/"}, max=1), ".web.url"),
    "a file": (metric(web={"url": "file:///etc/passwd"}, max=1), ".web.url"),
    "a path that starts nowhere": (metric(web={"url": "http://a/", "jsonPath": "a.b"}, max=1), ".web.jsonPath"),
}  # fmt: skip


def verdict_of_cel(schema: dict[str, Any], value: Any) -> bool:
    """Evaluates every rule of the schema as the API server does: with the defaults filled in."""
    return all(
        bool(environment_program(rule["rule"]).evaluate({"self": celpy.json_to_cel(part)}))
        for node, part in walk(schema, value)
        for rule in node.get(VALIDATIONS, ())
    )


def environment_program(rule: str) -> celpy.Runner:
    environment = celpy.Environment()
    return environment.program(environment.compile(rule))


def walk(schema: dict[str, Any], value: Any) -> Iterator[tuple[dict[str, Any], Any]]:
    if isinstance(value, dict) and "properties" in schema:
        fields = schema["properties"]
        value = {
            **{name: copy.deepcopy(field["default"]) for name, field in fields.items() if "default" in field},
            **value,
        }
        for name, part in value.items():
            yield from walk(fields[name], part)
    elif isinstance(value, list):
        for part in value:
            yield from walk(schema["items"], part)
    yield schema, value


@pytest.mark.parametrize("given", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted_by_both(given):
    AnalysisSpec.model_validate({"metrics": [given]})
    assert verdict_of_cel(METRIC, given)


@pytest.mark.parametrize(("given", "field"), REFUSED.values(), ids=REFUSED)
def test_refused_by_both_and_the_field_is_named(given, field):
    with pytest.raises(ValidationError) as refusal:
        AnalysisSpec.model_validate({"metrics": [given]})
    assert [".".join(map(str, error["loc"])) for error in refusal.value.errors()] == [f"metrics.0{field}"]
    assert not verdict_of_cel(METRIC, given)


def test_the_schema_is_structural_and_its_rules_have_a_cost():
    root = {"type": "object", "properties": {"spec": SCHEMA}}
    assert list(schema_problems(root)) == []
    assert list(unbounded(SCHEMA["properties"]["analysis"], "spec")) == []


def test_two_metrics_of_one_name_are_refused():
    with pytest.raises(ValidationError, match="Duplicate"):
        AnalysisSpec.model_validate({"metrics": [metric(builtin="error-rate"), metric(builtin="score-psi")]})


@pytest.mark.parametrize(
    ("given", "count", "failures"),
    [
        (metric(builtin="error-rate"), 5, 2),
        (metric(builtin="error-rate", count=2), 2, 1),
        (metric(builtin="error-rate", count=1), 1, 0),
        (metric(job={"template": {"spec": {}}}), 1, 0),
    ],
    ids=["five by default", "fewer", "one", "a Job"],
)
def test_a_metric_can_always_fail(given, count, failures):
    check = AnalysisSpec.model_validate({"metrics": [given]}).metrics[0]
    assert (measurements(check), borne_failures(check)) == (count, failures)


@pytest.mark.parametrize(
    ("given", "field", "message"),
    [
        (metric(builtin="error-rate", successCondition="result <"), "successCondition", "at character"),
        (metric(prometheus=PROMETHEUS, failureCondition="rezult > 1"), "failureCondition", "'rezult' is unknown"),
        (metric(prometheus=PROMETHEUS, successCondition="result < baseline"), "successCondition", "does not have"),
        (metric(builtin="health-score", successCondition="result < baseline"), "successCondition", "does not have"),
        (metric(web={"url": "http://a/", "jsonPath": "$["}, max=1), "web.jsonPath", "unexpected end"),
        (metric(web={"url": "http://a/", "jsonPath": "$..a..b"}, max=1), "web.jsonPath", "at most one"),
        (metric(web={"url": "http://a/", "jsonPath": "$[?match(@.a, '(a*)*b')]"}, max=1), "web.jsonPath", "match"),
    ],
    ids=["half a condition", "an unknown name", "no baseline", "a built-in of one", "half a path", "slow", "regex"],
)
def test_what_a_schema_cannot_say_is_found_before_it_is_used(given, field, message):
    [(where, said)] = problems(
        AnalysisSpec.model_validate(
            {"metrics": [{**metric(builtin="error-rate"), "name": "a"}, {**given, "name": "b"}]}
        )
    )
    assert where == f"metrics[1].{field}"
    assert message in said


def test_a_status_survives_its_round_trip():
    state = AnalysisStatus.model_validate(
        {"metrics": [{"name": "a", "value": 0.5, "evidence": {"bins": ["good"], "canary": [1.0], "stable": [2.0]}}]}
    )
    assert AnalysisStatus.model_validate(state.model_dump(by_alias=True, mode="json")) == state
