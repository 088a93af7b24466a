"""What the second gate refuses beyond the schema, what it advises, and that it never fails over what was written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentinel_operator.core.admission import sentrymodel
from sentinel_operator.core.admission.verdict import Requester, Review, Verdict
from tests.unit.admission.refused import PLAIN, REFUSED, TABULAR, TEXT, changed
from tests.unit.crdgen.rule_cases import accepted, examples, replaced


def judged(new: dict[str, Any], old: dict[str, Any] | None = None) -> Verdict:
    return sentrymodel.validate(Review(kind="SentryModel", new=new, old=old, requester=Requester("ada")))


@pytest.mark.parametrize(
    "document",
    [each for each in (*accepted(), *examples()) if each["kind"] == "SentryModel"],
    ids=lambda document: document["metadata"]["name"],
)
def test_valid_objects_pass(document):
    assert judged(document).errors == ()


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_what_no_schema_can_say_is_refused_at_its_field(case):
    assert tuple(str(error) for error in judged(case.document).errors) == case.errors


def test_a_mount_above_what_the_operator_mounts_is_refused():
    volume = {"name": "a", "mountPath": "/etc", "source": {"emptyDir": {}}}
    (error,) = judged(changed(PLAIN, "spec.pod.volumes", [volume])).errors
    assert error.field == "spec.pod.volumes[0].mountPath"
    assert "/etc/sentinel" in error.message


@pytest.mark.parametrize(
    ("document", "path", "value", "wanted"),
    [
        (PLAIN, "spec.suspend", False, "spec.model.digest is not set"),
        (PLAIN, "spec.suspend", False, "spec.model.verify is not set"),
        (TABULAR, "spec.model.verify.mode", "Warn", "spec.model.verify.mode is Warn"),
        (TABULAR, "spec.model.source.objectStore.endpoint", "http://s3:8333", "endpoint is plain http"),
        (
            TABULAR,
            "spec.schema.labelPolicies",
            {"Gamin": {}, "default": {}},
            "labels that spec.schema.labels lacks: Gamin",
        ),
        (TEXT, "spec.schema.features", [{"name": "a"}], "spec.schema.features is not used"),
        (TEXT, "spec.replicas", 3, "spec.replicas is not used while spec.autoscaling is set"),
        (TEXT, "spec.suspend", False, "RequestsPerSecond needs an adapter"),
        (TABULAR, "spec.disruption", {"minAvailable": 3}, "spec.disruption.minAvailable allows no pod to go"),
        (TABULAR, "spec.disruption", {"maxUnavailable": "0%"}, "spec.disruption.maxUnavailable allows no pod to go"),
        (TABULAR, "spec.routing.provider", "Service", "spec.routing.gateway is not used"),
        (PLAIN, "spec.suspend", True, "spec.suspend is true"),
    ],
    ids=lambda case: case if isinstance(case, str) else "",
)
def test_what_is_allowed_and_probably_not_meant_is_said(document, path, value, wanted):
    verdict = judged(changed(document, path, value))
    assert verdict.errors == ()
    assert any(wanted in warning for warning in verdict.warnings)


def test_a_careful_spec_gets_no_advice():
    assert judged(TABULAR).warnings == ()


@pytest.mark.parametrize(
    ("path", "value"),
    [("spec.model.digest", "sha256:" + "0" * 64), ("spec.model.source.objectStore.uri", "s3://models/other/")],
)
def test_another_artifact_under_the_same_version_is_pointed_out(path, value):
    (warning,) = judged(changed(TABULAR, path, value), TABULAR).warnings
    assert warning == "spec.model.version is still 1.4.0-rc.1 although the artifact is another one"
    assert judged(changed(changed(TABULAR, path, value), "spec.model.version", "2"), TABULAR).warnings == ()


def test_every_error_is_told_at_once_with_its_path():
    broken = replaced(replaced(TABULAR, ("spec", "model", "digest"), "abc"), ("spec", "rollout", "maxSurge"), "200%")
    broken["metadata"]["name"] = "9lives"
    assert [error.field for error in judged(broken).errors] == [
        "metadata.name",
        "spec.model.digest",
        "spec.rollout.maxSurge",
    ]


@pytest.mark.parametrize("old", [{}, {"spec": None}, {"spec": {"model": 5}}], ids=str)
def test_an_old_object_that_no_longer_validates_does_not_matter(old):
    assert judged(TABULAR, {"metadata": {"name": "a"}, **old}).errors == ()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
PLACES = (
    ("spec",),
    ("spec", "model"),
    ("spec", "model", "verify"),
    ("spec", "model", "verify", "authorities", 0),
    ("spec", "schema"),
    ("spec", "runtime", "warmup"),
    ("spec", "runtime", "warmup", 0),
    ("spec", "pod", "resources", "limits"),
    ("spec", "pod", "volumes"),
    ("spec", "rollout"),
)


@given(place=st.sampled_from(PLACES), value=JSON)
def test_whatever_stands_there_the_gate_answers(place, value):
    verdict = judged(replaced(TABULAR, place, value))
    assert all(error.message and "\n" not in error.field for error in verdict.errors)
