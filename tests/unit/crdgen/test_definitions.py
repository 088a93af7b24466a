"""What every definition of ours promises to tools and to people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from sentinel_operator.api.kinds import (
    ACTION_PLAN,
    ACTION_POLICY,
    KINDS,
    NODE_TELEMETRY,
    SCAN_JOB,
    SENTINEL_CONFIG,
    SENTRY_MODEL,
    Kind,
)
from sentinel_operator.api.rules import VALIDATIONS
from sentinel_operator.crdgen.definition import MAX_BYTES, definition, size_of
from sentinel_operator.crdgen.hygiene import POINTS, score
from sentinel_operator.crdgen.repetition import bare
from sentinel_operator.crdgen.schema import SchemaError
from sentinel_operator.crdgen.text import documents

each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)


def version(kind: Kind) -> dict[str, Any]:
    return definition(kind)["spec"]["versions"][0]


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for keyword, step in (("items", "[]"), ("additionalProperties", ".*")):
        if keyword in schema:
            yield from nodes(schema[keyword], path + step)


@each_kind
def test_it_is_small_enough_for_every_tool(kind: Kind):
    assert size_of(definition(kind)) < MAX_BYTES


@each_kind
def test_a_new_object_has_not_been_observed(kind: Kind):
    status = version(kind)["schema"]["openAPIV3Schema"]["properties"]["status"]
    assert status["default"] == {"observedGeneration": -1}
    assert status["properties"]["observedGeneration"] == {"type": "integer", "format": "int64"}


@each_kind
def test_the_status_has_no_other_default(kind: Kind):
    status = version(kind)["schema"]["openAPIV3Schema"]["properties"]["status"]
    assert [path for path, node in nodes(status) if "default" in node] == [""]


@each_kind
def test_conditions_are_kubernetes_own(kind: Kind):
    conditions = version(kind)["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]["conditions"]
    assert conditions["x-kubernetes-list-type"] == "map"
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]
    item = conditions["items"]
    assert set(item["required"]) == {"type", "status", "reason", "lastTransitionTime"}
    assert item["properties"]["status"]["enum"] == ["True", "False", "Unknown"]
    assert item["properties"]["observedGeneration"]["format"] == "int64"
    assert item["properties"]["lastTransitionTime"]["format"] == "date-time"


@each_kind
def test_every_list_says_how_it_is_merged(kind: Kind):
    for path, node in nodes(version(kind)["schema"]["openAPIV3Schema"]):
        if node.get("type") == "array":
            assert node.get("x-kubernetes-list-type") in ("map", "set", "atomic"), path


@each_kind
def test_every_block_says_what_it_is_or_stands_in_one_that_says_where_its_fields_are_described(kind: Kind):
    spec = version(kind)["schema"]["openAPIV3Schema"]["properties"]["spec"]
    blocks = {f"spec{path}": node for path, node in nodes(spec) if "properties" in node}
    elsewhere = {path: node for path, node in blocks.items() if "Its fields: see " in node.get("description", "")}
    for path, node in elsewhere.items():
        described = blocks[node["description"].split("Its fields: see ")[1].rstrip(".")]
        assert bare(described) == bare(node), path
        assert described["properties"] != node["properties"], "it is described there"
    for path, node in blocks.items():
        if not any(path.startswith((f"{other}.", f"{other}[")) for other in elsewhere):
            assert node.get("description"), path
            assert "\n" not in node["description"]


@each_kind
def test_columns_are_there_and_lead_somewhere(kind: Kind):
    columns = version(kind)["additionalPrinterColumns"]
    assert [column["name"] for column in columns][:2] == ["Ready", "Reason"]
    assert columns[-1]["name"] == "Age"
    assert len([column for column in columns if not column.get("priority")]) >= 4
    schema = version(kind)["schema"]["openAPIV3Schema"]["properties"]
    for column in columns:
        node: Any = {"properties": schema}
        for step in column["jsonPath"].split("[")[0].removeprefix(".").split("."):
            if step == "metadata":
                break
            node = node["properties"][step]


def test_replicas_have_no_default_and_scale():
    spec = version(SENTRY_MODEL)["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    assert "default" not in spec["replicas"]
    assert version(SENTRY_MODEL)["subresources"]["scale"] == {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }


def test_settings_are_cluster_scoped_and_may_be_empty():
    crd = definition(SENTINEL_CONFIG)
    assert crd["spec"]["scope"] == "Cluster"
    assert version(SENTINEL_CONFIG)["schema"]["openAPIV3Schema"]["properties"]["spec"]["default"] == {}
    assert "required" not in version(SENTINEL_CONFIG)["schema"]["openAPIV3Schema"]


@each_kind
def test_every_rule_has_words(kind: Kind):
    for path, node in nodes(version(kind)["schema"]["openAPIV3Schema"]):
        for rule in node.get(VALIDATIONS, ()):
            assert rule["message"], path
            assert rule["message"][0].islower(), "it is read after the path of the field"
            assert not rule["message"].endswith(".")


@pytest.mark.parametrize(
    ("kind", "lacks"),
    [
        # With one version there is nothing to convert; a webhook for it would only be one more thing to be down.
        (SENTRY_MODEL, {"conversion webhook"}),
        # Settings have no replicas.
        (SENTINEL_CONFIG, {"conversion webhook", "scale subresource"}),
        (SCAN_JOB, {"conversion webhook", "scale subresource"}),
        (NODE_TELEMETRY, {"conversion webhook", "scale subresource"}),
        (ACTION_PLAN, {"conversion webhook", "scale subresource"}),
        (ACTION_POLICY, {"conversion webhook", "scale subresource"}),
    ],
    ids=lambda case: case.kind if isinstance(case, Kind) else "",
)
def test_the_eleven_points_of_hygiene(kind: Kind, lacks: set[str]):
    held = score(definition(kind))
    assert {point for point in POINTS if not held[point]} == lacks


def test_a_definition_without_anything_scores_nothing():
    bare = {
        "spec": {
            "names": {},
            "versions": [{"storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}],
        }
    }
    assert not any(score(bare).values())


def test_a_kind_that_could_not_be_installed_is_refused_with_the_reason():
    class Unbounded(SENTINEL_CONFIG.spec):  # type: ignore[name-defined,misc]
        """Settings with a string of any length."""

        text: str = ""

    broken = Kind(
        kind="Broken", plural="brokens", spec=Unbounded, status=SENTINEL_CONFIG.status, short_names=(), columns=()
    )
    with pytest.raises(SchemaError, match=r"Broken: spec\.text: maxLength is missing"):
        definition(broken)


@each_kind
def test_the_text_reads_back_as_the_definition(kind: Kind):
    assert list(yaml.safe_load_all(documents([definition(kind)]))) == [definition(kind)]
