from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import yaml

from sentinel_operator.api.kinds import SENTINEL_CONFIG, SENTRY_MODEL
from sentinel_operator.cli.offline import judge, render
from sentinel_operator.cli.outcome import Exit, Failed, Invalid
from sentinel_operator.core.admission import sentrymodel
from sentinel_operator.core.admission.verdict import Requester, Review
from sentinel_operator.core.sentrymodel.render import render as children_of
from tests.support.builders import a_config_map, a_model

SETTINGS = {
    "apiVersion": "sentinel.dev/v1alpha1",
    "kind": "SentinelConfig",
    "metadata": {"name": "default"},
    "spec": {"images": {"modelServer": "registry.test/server:7"}},
}
KEYLESS = {
    "authorities": [
        {
            "name": "ci",
            "keyless": {
                "identities": [{"issuer": "https://issuer.test", "subject": "ci"}],
                "trustRoot": {"name": "root", "key": "root.json"},
            },
        }
    ]
}


def test_a_valid_model_becomes_what_the_operator_would_make(tmp_path: Path) -> None:
    raw = a_model().with_replicas(2).raw
    made, warnings = render(_file(tmp_path, raw), settings=None, namespace=None)
    assert made == children_of(raw)
    assert {each["kind"] for each in made} >= {"Deployment", "ConfigMap", "Service", "NetworkPolicy"}
    assert warnings == ["spec.model.verify is not set: nobody's signature is asked for"]


def test_what_is_wrong_is_said_as_the_webhook_says_it(tmp_path: Path) -> None:
    raw = a_model().with_replicas(-1).with_spec(model={"maxBytes": "many"}).with_metadata(name="Fraud").raw
    said = sentrymodel.validate(Review(kind="SentryModel", new=raw, old=None, requester=Requester(username="")))
    with pytest.raises(Invalid) as refused:
        render(_file(tmp_path, raw), settings=None, namespace=None)
    assert refused.value.code is Exit.NOT_READY
    assert str(refused.value).splitlines() == [str(error) for error in said.errors]
    assert "spec.replicas: should be greater than or equal to 0" in str(refused.value)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"model": {"digset": "sha256:1"}}, "spec.model.digset"),
        ({"schema": {"features": [{"name": "a", "type": "float32"}]}}, "spec.schema.features[0].type"),
        ({"replica": 3}, "spec.replica"),
    ],
)
def test_a_typing_error_is_found(spec: dict[str, Any], field: str) -> None:
    assert [str(each) for each in judge(SENTRY_MODEL, a_model().with_spec(**spec).raw).errors] == [
        f"{field}: unknown field"
    ]


def test_what_kubernetes_defines_is_not_looked_into() -> None:
    pod = {
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {"any": 1}},
        "labels": {"team": "a"},
        "resources": {"limits": {"memory": "1Gi"}},
    }
    assert judge(SENTRY_MODEL, a_model().with_spec(pod=pod).raw).errors == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"metadata": {}}, "metadata.name: Required value"),
        ({"metadata": None}, "metadata.name: Required value"),
        ({"spec": "none"}, "spec: must be of type object"),
        ({"spce": {}}, "spce: unknown field"),
        ({"spec": None}, "spec.model: Required value"),
        ({"apiVersion": "sentinel.dev/v1"}, "apiVersion: 'sentinel.dev/v1' is not served for SentryModel"),
    ],
)
def test_a_broken_object_is_no_traceback(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid, match="^" + said.replace(".", r"\.")):
        render(_file(tmp_path, {**a_model().raw, **change}), settings=None, namespace=None)


def test_settings_come_from_the_same_file_or_another(tmp_path: Path) -> None:
    for made, _ in (
        render(_file(tmp_path, a_model().raw, SETTINGS), settings=None, namespace=None),
        render(_file(tmp_path, a_model().raw), settings=_file(tmp_path, SETTINGS, name="settings"), namespace=None),
    ):
        assert "registry.test/server:7" in yaml.safe_dump(made)


def test_of_several_objects_each_error_names_its_own(tmp_path: Path) -> None:
    wrong = {**SETTINGS, "metadata": {"name": "other"}}
    with pytest.raises(Invalid) as refused:
        render(_file(tmp_path, a_model().with_replicas(-1).raw, wrong), settings=None, namespace=None)
    assert str(refused.value).splitlines() == [
        "sentrymodel/fraud: spec.replicas: should be greater than or equal to 0",
        "sentinelconfig/other: metadata.name: must be default: there is one SentinelConfig",
    ]
    assert judge(SENTINEL_CONFIG, SETTINGS).errors == ()


def test_a_config_map_in_the_file_is_taken_into_account(tmp_path: Path) -> None:
    raw = a_model().with_spec(model={"verify": KEYLESS}).raw
    root = a_config_map("root", root__json='{"trusted": true}')
    made, warnings = render(_file(tmp_path, raw, root), settings=None, namespace=None)
    assert '{"trusted": true}' in str(made)
    assert not warnings


def test_a_config_map_that_is_not_given_is_a_placeholder_and_a_warning(tmp_path: Path) -> None:
    raw = a_model().with_spec(model={"verify": KEYLESS}).raw
    _, warnings = render(_file(tmp_path, raw), settings=None, namespace=None)
    field = "spec.model.verify.authorities[0].keyless.trustRoot"
    lacks = "ConfigMap team-a/root is not given, so its key 'root.json' is a placeholder"
    assert warnings == [f"{field}: {lacks}, and the revision will have another name"]


def test_a_config_map_without_the_key_is_an_error(tmp_path: Path) -> None:
    raw = a_model().with_spec(model={"verify": KEYLESS}).raw
    with pytest.raises(Invalid, match="trustRoot: ConfigMap team-a/root has no key"):
        render(_file(tmp_path, raw, a_config_map("root", other="x")), settings=None, namespace=None)


def test_objects_without_a_namespace_get_the_one_that_is_given(tmp_path: Path) -> None:
    raw = a_model().raw
    del raw["metadata"]["namespace"]
    for namespace, expected in (("team-b", "team-b"), (None, "default")):
        made, _ = render(_file(tmp_path, raw), settings=None, namespace=namespace)
        assert {each["metadata"]["namespace"] for each in made} == {expected}


def test_lists_and_json_and_objects_of_others_are_read(tmp_path: Path) -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}}
    file = _file(tmp_path, {"apiVersion": "v1", "kind": "List", "items": [a_model().raw, service]}, service)
    assert render(file, settings=None, namespace=None)[0] == children_of(a_model().raw)


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(yaml.safe_dump(a_model().raw)))
    assert render("-", settings=None, namespace=None)[0] == children_of(a_model().raw)


@pytest.mark.parametrize(
    ("text", "said", "code"),
    [
        ("a: [", "is no YAML", Exit.NOT_READY),
        ("- 1", "is no Kubernetes object", Exit.NOT_READY),
        ("kind: Pod\napiVersion: v1\n", "holds no SentryModel", Exit.NOT_READY),
        ("", "holds no SentryModel", Exit.NOT_READY),
        (None, "No such file", Exit.USAGE),
    ],
)
def test_a_file_that_holds_no_model(tmp_path: Path, text: str | None, said: str, code: Exit) -> None:
    file = tmp_path / "model.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(Failed, match=said) as refused:
        render(str(file), settings=None, namespace=None)
    assert refused.value.code is code


def _file(folder: Path, *objects: dict[str, Any], name: str = "model") -> str:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump_all(objects))
    return str(path)
