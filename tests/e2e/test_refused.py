"""What must not be served is not served, and the object says why and names the field. Once the cause is gone, it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from demo import objectstore
from devcluster.errors import DevclusterError
from tests.e2e.world import World, condition, eventually

Raw = dict[str, Any]
OTHER_KEY = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt
6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==
-----END PUBLIC KEY-----
"""


def _wrong_digest(world: World) -> Raw:
    raw = world.model(version="1.0.0")
    raw["spec"]["model"]["digest"] = "sha256:" + "0" * 64
    return raw


def _unsigned(world: World) -> Raw:
    return world.model(unsigned=True)


def _tampered(world: World) -> Raw:
    raw = world.model(version="2.0.0-tampered")
    del raw["spec"]["model"]["digest"]
    return raw


def _wrong_key(world: World) -> Raw:
    raw = world.model()
    raw["spec"]["model"]["verify"]["authorities"] = [{"name": "stranger", "key": {"pem": OTHER_KEY}}]
    return raw


def _missing(world: World) -> Raw:
    raw = world.model()
    raw["spec"]["model"]["source"]["objectStore"]["uri"] = "s3://models/nothing/here/"
    return raw


def _wrong_credentials(world: World) -> Raw:
    raw = world.model()
    stranger = objectstore.client_secret(world.namespace, objectstore.Credentials.generate())
    stranger["metadata"]["name"] = "stranger"  # type: ignore[index]
    world.apply(stranger)
    raw["spec"]["model"]["source"]["objectStore"]["credentialsSecretRef"] = {"name": "stranger"}
    return raw


def _no_such_secret(world: World) -> Raw:
    raw = world.model()
    raw["spec"]["model"]["source"]["objectStore"]["credentialsSecretRef"] = {"name": "absent"}
    return raw


def _storage_down(world: World) -> Raw:
    raw = world.model()
    raw["spec"]["model"]["source"]["objectStore"]["endpoint"] = "http://seaweedfs.object-store.svc:1"
    return raw


def _no_onnx(world: World) -> Raw:
    return world.model(version="2.0.0-truncated")


def _other_features(world: World) -> Raw:
    return world.model(version="2.0.0-missing-feature")


def _other_labels(world: World) -> Raw:
    raw = world.model()
    raw["spec"]["schema"]["labels"] = ["Browsing", "Gaming"]
    raw["spec"]["schema"]["labelPolicies"] = None
    return raw


REFUSALS: dict[str, tuple[Callable[[World], Raw], str, str]] = {
    "a digest that is not the artifact's": (_wrong_digest, "DigestMismatch", "spec.model.digest"),
    "no signature": (_unsigned, "SignatureInvalid", "spec.model.verify"),
    "a byte changed after signing": (_tampered, "SignatureInvalid", "spec.model.verify"),
    "signed by somebody else": (_wrong_key, "SignatureInvalid", "spec.model.verify"),
    "nothing there": (_missing, "NotFound", "spec.model.source"),
    "credentials that the store does not know": (_wrong_credentials, "AccessDenied", "spec.model.source"),
    "a Secret that does not exist": (_no_such_secret, "ReferenceNotFound", "spec.model.source"),
    "a store that cannot be reached": (_storage_down, "StorageUnreachable", "spec.model.source"),
    "a file that is not ONNX": (_no_onnx, "ModelUnreadable", "spec.model"),
    "another number of features": (_other_features, "SchemaMismatch", "spec.schema"),
    "another number of labels": (_other_labels, "SchemaMismatch", "spec.schema.labels"),
}


def test_what_must_not_be_served_is_refused_with_its_reason_and_field(world: World) -> None:
    named: dict[str, str] = {}
    for number, (title, (declare, _, _)) in enumerate(REFUSALS.items()):
        named[title] = f"refused-{number}"
        raw = declare(world)
        raw["metadata"]["name"] = named[title]
        world.apply(raw)
    for title, (_, reason, field) in REFUSALS.items():
        refused = world.await_ready(named[title], status="False", reason=reason, within=180)
        assert field in condition(refused, "Ready")["message"], title
        assert not refused["status"].get("readyReplicas"), title
    slices = [each for each in world.list("endpointslices") if each["metadata"]["name"].startswith("refused-")]
    ready = [end for each in slices for end in each.get("endpoints") or () if end.get("conditions", {}).get("ready")]
    assert ready == [], "a refused model gets no traffic"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"spec": {"replica": 2}}, "replica"),
        ({"spec": {"pod": {"resources": {"requests": {"cpu": "plenty"}}}}}, "spec.pod.resources.requests"),
        ({"metadata": {"name": "n" * 53}}, "52 characters"),
    ],
    ids=["an unknown field", "a quantity that is none", "a name too long for its children"],
)
def test_what_does_not_fit_is_refused_at_once(world: World, change: Raw, sentence: str) -> None:
    raw = world.model()
    for section, values in change.items():
        raw[section] |= values
    with pytest.raises(DevclusterError, match=sentence):
        world.apply(raw)


def test_a_refused_model_serves_once_its_cause_is_gone(world: World) -> None:
    raw = _no_such_secret(world)
    world.apply(raw)
    world.await_ready(status="False", reason="ReferenceNotFound")
    secret = objectstore.client_secret(world.namespace, world.store.reader)
    secret["metadata"]["name"] = "absent"  # type: ignore[index]
    world.apply(secret)
    world.await_ready(within=180)


def test_an_update_that_is_refused_leaves_the_former_serving(world: World) -> None:
    world.apply(world.model(version="1.0.0"))
    before = world.await_ready()
    world.apply(world.model(version="2.0.0-truncated"))
    refused = world.await_ready(status="False", reason="RevisionRejected")
    assert "spec.model" in condition(refused, "Ready")["message"]
    assert refused["status"]["stable"]["revision"] == before["status"]["stable"]["revision"]
    assert refused["status"]["readyReplicas"] == 1
    assert condition(refused, "Stalled")["status"] == "True"
    world.apply(world.model(version="1.0.0"))
    world.await_ready()


def test_same_name_in_two_namespaces_are_two_models(world: World) -> None:
    other = f"{world.namespace}-b"
    world.cluster.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other}}])
    try:
        second = World(world.cluster, other, world.index, world.store)
        world.apply(world.model())
        second.apply(_no_such_secret(second))
        world.await_ready()
        second.await_ready(status="False", reason="ReferenceNotFound")
    finally:
        world.cluster.kubectl("delete", "namespace", other, "--wait=false")


def test_a_model_deleted_while_its_pod_downloads_leaves_nothing(world: World) -> None:
    world.apply(_storage_down(world))
    selector = "sentinel.dev/name=qos-flow-classifier"
    eventually(lambda: world.list("pods", selector), within=60)
    world.kubectl("delete", "sentrymodel", "qos-flow-classifier", "--wait=true", timeout=60)
    kinds = "deployments,replicasets,pods,services,configmaps,serviceaccounts,networkpolicies,poddisruptionbudgets"
    eventually(lambda: not world.list(kinds, selector), within=90, otherwise=lambda: str(world.list(kinds, selector)))
