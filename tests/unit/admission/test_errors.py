"""Pydantic's findings in the API server's words. That they are its words, tests/integration/crds asks it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from sentinel_operator.api.sentrymodel import SentryModelSpec
from sentinel_operator.core.admission.errors import explain

MODEL = {"version": "1", "source": {"objectStore": {"uri": "s3://models/a/"}}}


def said(spec: dict[str, object]) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        SentryModelSpec.model_validate({"model": MODEL, **spec})
    return [str(error) for error in explain(caught.value)]


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ({"model": {"version": "1"}}, "spec.model.source: Required value"),
        ({"replicas": -1}, "spec.replicas: should be greater than or equal to 0"),
        ({"replicas": 1.5}, "spec.replicas: must be of type integer"),
        ({"schema": {"labels": []}}, "spec.schema.labels: should have at least 1 items"),
        ({"schema": {"labels": ["x" * 257]}}, "spec.schema.labels[0]: Too long: may not be more than 256 bytes"),
        ({"schema": {"threshold": 2}}, "spec.schema.threshold: should be less than or equal to 1"),
        (
            {"routing": {"provider": "Ingress"}},
            'spec.routing.provider: Unsupported value: "Ingress": supported values: "Service", "Gateway"',
        ),
        ({"service": 5}, "spec.service: must be of type object"),
        ({"model": {**MODEL, "maxBytes": 1.5}}, "spec.model.maxBytes: must be of type integer or string"),
        (
            {"model": {**MODEL, "metadata": {str(n): "" for n in range(33)}}},
            "spec.model.metadata: Too many: 33: must have at most 32 items",
        ),
        ({"pod": {"env": [{"name": "A"}, {"name": "A"}]}}, 'spec.pod.env[1]: Duplicate value: {"name":"A"}'),
        (
            {"runtime": {"batching": {"maxDelay": "2s"}}},
            "spec.runtime.batching.maxDelay: must be a duration from 1ms to 1s, such as 30s or 1m30s",
        ),
        ({"autoscaling": {"min": 3, "max": 2}}, "spec.autoscaling.min: must not be greater than max"),
    ],
    ids=lambda case: case if isinstance(case, str) else "",
)
def test_each_finding_names_its_field(spec, wanted):
    assert said(spec) == [wanted]


def test_a_value_is_never_repeated_where_it_might_be_secret():
    spec = {"pod": {"env": [{"name": "TOKEN", "value": "hunter2", "valueFrom": {}}]}}
    assert said(spec) == ["spec.pod.env[0]: set at most one of value and valueFrom"]
