"""What is refused of a ScanJob, what is advised, and what cannot be changed once it runs."""

from __future__ import annotations

import pytest

from sentinel_operator.api.rules import FIXED
from sentinel_operator.core.admission.scanjob import read, validate
from sentinel_operator.core.admission.verdict import Requester, Review, Verdict
from tests.support.builders import Raw
from tests.support.scanworld import a_scan

DETECTOR = {"model": {"version": "1", "source": {"objectStore": {"uri": "s3://models/minilm/"}}}}


def judged(new: Raw, old: Raw | None = None) -> Verdict:
    return validate(Review(kind="ScanJob", new=new, old=old, requester=Requester(username="alice")))


def refusals(**spec) -> list[str]:
    return [str(error) for error in judged(a_scan(**spec)).errors]


def advice(**spec) -> str:
    verdict = judged(a_scan(**spec))
    assert not verdict.errors
    return "\n".join(verdict.warnings)


def test_a_small_one_is_accepted():
    spec, errors = read(a_scan())
    assert spec is not None
    assert errors == ()
    assert spec.batch_size == 256
    assert (spec.detectors.thresholds.quarantine, spec.detectors.thresholds.elevated) == (70, 50)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"source": {"maxDocumentBytes": "0"}}, "spec.source.maxDocumentBytes: must be at least 1"),
        (
            {"output": {"objectStore": {"uri": "s3://datasets/tickets/reports"}}},
            "spec.output.objectStore.uri: must not lie in spec.source.objectStore.uri (s3://datasets/tickets/)",
        ),
        (
            {"quarantine": {"objectStore": {"uri": "s3://datasets/tickets"}}},
            "spec.quarantine.objectStore.uri: must not",
        ),
        (
            {"cache": {"objectStore": {"uri": "s3://datasets/tickets/.cache/", "endpoint": "https://s3.example.org/"}}},
            "spec.cache.objectStore.uri: must not",
        ),
        (
            {"detectors": {"embedding": DETECTOR, "classifier": {"model": {**DETECTOR["model"], "maxBytes": 0}}}},
            "spec.detectors.classifier.model.maxBytes: must be at least 1",
        ),
        (
            {"pod": {"volumes": [{"name": "credentials-source", "mountPath": "/x", "source": {"emptyDir": {}}}]}},
            "spec.pod.volumes[0].name: 'credentials-source' is a volume of the operator's; choose another",
        ),
        (
            {"pod": {"volumes": [{"name": "x", "mountPath": "/etc/sentinel-signing", "source": {"emptyDir": {}}}]}},
            "spec.pod.volumes[0].mountPath: '/etc/sentinel-signing' is a place of the operator's",
        ),
        (
            {"pod": {"resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}}},
            "spec.pod.resources.requests.memory: must not be greater than the limit 1Gi",
        ),
    ],
)
def test_refused(spec, said):
    assert any(each.startswith(said) for each in refusals(**spec)), refusals(**spec)


def test_the_same_prefix_of_another_store_is_another_place():
    store = {"uri": "s3://datasets/tickets/", "endpoint": "https://other.example.org"}
    assert not refusals(output={"objectStore": store})


def test_what_should_be_looked_at_again():
    assert "spec.signing is not set" in advice(signing=None)
    assert "spec.quarantine is not set" in advice(quarantine=None)
    assert "rules alone judge" in advice()
    assert "rules alone" not in advice(detectors={"embedding": DETECTOR, "classifier": DETECTOR})
    assert "spec.detectors.classifier.model has neither digest nor verify" in advice(
        detectors={"embedding": DETECTOR, "classifier": DETECTOR}
    )
    assert "endpoint is plain http" in advice(output={"objectStore": {"endpoint": "http://s3:8333"}})
    assert "sse is not used" in advice(output={"objectStore": {"sse": {"mode": "AES256"}}})
    assert "leaves the object alone" in advice(managedBy="kueue.x-k8s.io/multikueue")
    assert "spec.suspend is true" in advice(suspend=True)


@pytest.mark.parametrize(
    "change", [{"suspend": True}, {"parallelism": 9}, {"ttlSecondsAfterFinished": 5}, {"batchSize": 256}]
)
def test_what_may_be_changed(change):
    assert judged(a_scan(**change), a_scan()).errors == ()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"batchSize": 1}, "spec.batchSize"),
        ({"source": {"textField": "body"}}, "spec.source"),
        ({"detectors": {"thresholds": {"quarantine": 90}}}, "spec.detectors"),
        ({"signing": None}, "spec.signing"),
        ({"queueName": "datasets"}, "spec.queueName"),
        ({"onFailure": {"maxFailedIndexes": 1}}, "spec.onFailure"),
    ],
)
def test_what_may_not(change, field):
    assert [str(error) for error in judged(a_scan(**change), a_scan()).errors] == [f"{field}: {FIXED}"]


def test_what_was_not_understood_before_is_judged_as_if_it_were_new():
    assert judged(a_scan(), {"spec": {"source": 5}}).errors == ()
