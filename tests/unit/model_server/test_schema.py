"""A model that disagrees with its schema is refused, and the refusal names the field."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto

from sentinel_operator.api.serving import ExitCode, ServingConfig
from sentinel_workloads.model_server.inference.warmup import warm_up
from sentinel_workloads.model_server.model.served import open_model
from sentinel_workloads.model_server.unservable import Unservable, termination_of
from tests.unit.model_server import graphs


@dataclass
class Case:
    """A model, a schema, and what they should come to."""

    model: onnx.ModelProto | bytes
    schema: dict[str, Any]
    field: str = ""
    says: str = ""
    code: ExitCode = ExitCode.SchemaMismatch
    tokenizer: Any = None
    files: dict[str, bytes] = dataclasses.field(default_factory=dict)


def tabular(names: str, labels: str = "yes no", dtype: str = "float32", **more: Any) -> dict[str, Any]:
    """A schema with these features."""
    features = [{"name": name, "dtype": dtype} for name in names.split()]
    return {"task": "TabularClassification", "features": features, "labels": labels.split(), **more}


def text(labels: str = "yes no", **more: Any) -> dict[str, Any]:
    """A schema for texts."""
    return {"task": "TextClassification", "labels": labels.split(), "maxTokens": 8, **more}


def opened(folder: Path, case: Case):
    """Lays the artifact out as fetch does, and opens it."""
    artifact = folder / "artifact"
    artifact.mkdir()
    if isinstance(case.model, bytes):
        (artifact / "model.onnx").write_bytes(case.model)
    else:
        graphs.save(case.model, artifact / "model.onnx")
    if case.tokenizer is not None:
        case.tokenizer.save(str(artifact / "tokenizer.json"))
    for name, content in case.files.items():
        (artifact / name).write_bytes(content)
    (folder / "verified.json").write_text(json.dumps({"digest": "sha256:1"}))
    config = ServingConfig.model_validate(
        {"name": "m", "namespace": "n", "revision": "r", "modelDir": str(artifact), **case.schema}
    )
    model = open_model(config)
    warm_up(model, config)
    return model


LINEAR = graphs.linear_classifier(3, 2)
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
REFUSED = {
    "one feature too few": Case(LINEAR, tabular("a b"), "spec.schema.features", "takes 3 features, the schema names 2"),
    "one feature too many": Case(LINEAR, tabular("a b c d"), "spec.schema.features", "takes 3 features"),
    "columns are not declared, but the trees read more": Case(
        graphs.tree_classifier(5, 2), tabular("a b c"), "spec.schema.features", "reads at least 5 features"
    ),
    "another dtype": Case(LINEAR, tabular("a b c", dtype="int64"), "spec.schema.features[0].dtype", "takes float32"),
    "other names than the file states": Case(
        graphs.linear_classifier(2, 2, features='["size", "age"]'),
        tabular("age size"),
        "spec.schema.features[0]",
        "'size' in the model and 'age' in the schema",
    ),
    "an input that no feature names": Case(
        graphs.column_classifier({"a": FLOAT, "b": INT64}, 2), tabular("a c"), "spec.schema.features", "takes 'b'"
    ),
    "a feature that no input takes": Case(
        graphs.column_classifier({"a": FLOAT, "b": FLOAT}, 2),
        tabular("a b c"),
        "spec.schema.features[2].name",
        "no input 'c'",
    ),
    "a column of another dtype": Case(
        graphs.column_classifier({"a": FLOAT, "b": INT64}, 2),
        tabular("a b"),
        "spec.schema.features[1].dtype",
        "takes int64",
    ),
    "many rows at a time": Case(
        graphs.linear_classifier(3, 2, rows=8), tabular("a b c"), "spec.schema.features", "exactly 8 rows"
    ),
    "one label too few": Case(LINEAR, tabular("a b c", "yes"), "spec.schema.labels", "tells 2 classes apart"),
    "one label too many": Case(LINEAR, tabular("a b c", "yes no maybe"), "spec.schema.labels", "the schema names 3"),
    "a label twice": Case(LINEAR, tabular("a b c", "yes yes"), "spec.schema.labels", "twice"),
    "labels in another order than the trees'": Case(
        graphs.tree_classifier(3, ["no", "yes"]),
        tabular("a b c"),
        "spec.schema.labels[0]",
        "'no' in the model and 'yes'",
    ),
    "labels in another order than the ZipMap's": Case(
        graphs.tree_classifier(3, ["no", "yes"], zip_map=True), tabular("a b c"), "spec.schema.labels[0]"
    ),
    "no scores at all": Case(
        graphs.identity({"x": INT64}, [None, 2]), tabular("a b", dtype="int64"), "spec.schema.labels", "no probability"
    ),
    "no tokenizer": Case(graphs.text_classifier(6), text(), "spec.schema.tokenizer", "holds no tokenizer.json"),
    "a broken tokenizer": Case(
        graphs.text_classifier(6), text(), "spec.schema.tokenizer", "not a tokenizer", files={"tokenizer.json": b"{}"}
    ),
    "a tokenizer outside the artifact": Case(
        graphs.text_classifier(6), text(tokenizer="../verified.json"), "spec.schema.tokenizer", "outside"
    ),
    "more tokens than the model knows": Case(
        graphs.text_classifier(4),
        text(),
        "spec.schema.tokenizer",
        "has 6 tokens, the model knows 4",
        tokenizer=graphs.tokenizer(),
    ),
    "longer texts than the model can take": Case(
        graphs.text_classifier(6, positions=7),
        text(),
        "spec.schema.maxTokens",
        "8 tokens",
        tokenizer=graphs.tokenizer(),
    ),
    "a text task for a table's model": Case(
        LINEAR, text(), "spec.schema.task", "takes input_ids", tokenizer=graphs.tokenizer()
    ),
    "an embedding that gives no vectors": Case(
        graphs.identity({"input_ids": INT64}),
        {"task": "Embedding"},
        "spec.schema.task",
        "no vectors",
        tokenizer=graphs.tokenizer(),
    ),
    "a warm-up body with an unknown feature": Case(
        LINEAR,
        tabular("a b c", warmup=[{"features": {"a": 1, "b": 2, "c": 3}}, {"features": {"a": 1, "b": 2, "z": 3}}]),
        "spec.runtime.warmup[1].features.c",
        "'c' is missing",
    ),
    "a warm-up body with an unknown member": Case(
        LINEAR, tabular("a b c", warmup=[{"text": "hi"}]), "spec.runtime.warmup[0].text", "unknown member"
    ),
    "not an ONNX file": Case(b"this is no model", tabular("a"), "spec.model.source", code=ExitCode.ModelUnreadable),
    "an empty file": Case(b"", tabular("a"), "spec.model.source", code=ExitCode.ModelUnreadable),
    "a file cut short": Case(
        LINEAR.SerializeToString()[:-40], tabular("a b c"), "spec.model.source", code=ExitCode.ModelUnreadable
    ),
    "another digest than the revision's": Case(
        LINEAR, tabular("a b c", modelDigest="sha256:2"), "spec.model.digest", "sha256:1", code=ExitCode.DigestMismatch
    ),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_what_disagrees_is_refused_with_the_field(tmp_path: Path, case: Case):
    with pytest.raises(Unservable) as refused:
        opened(tmp_path, case)
    assert (refused.value.code, refused.value.field) == (case.code, case.field)
    assert case.says in refused.value.message
    told = json.loads(termination_of(refused.value))
    assert told["reason"] == case.code.name
    assert told["field"] == case.field


ACCEPTED = {
    "a matrix and probabilities": Case(LINEAR, tabular("a b c")),
    "a matrix and logits": Case(graphs.linear_classifier(3, 2, probabilities=False), tabular("a b c")),
    "a model of one row at a time": Case(graphs.linear_classifier(3, 2, rows=1), tabular("a b c")),
    "trees without declared columns": Case(graphs.tree_classifier(3, 2), tabular("a b c")),
    "trees with named classes": Case(graphs.tree_classifier(3, ["yes", "no"]), tabular("a b c")),
    "trees behind a ZipMap": Case(graphs.tree_classifier(3, ["yes", "no"], zip_map=True), tabular("a b c")),
    "columns of several types": Case(
        graphs.column_classifier({"a": FLOAT, "b": INT64, "c": TensorProto.STRING}, 2),
        {
            **tabular(""),
            "features": [{"name": "c", "dtype": "string"}, {"name": "a"}, {"name": "b", "dtype": "int64"}],
        },
    ),
    "texts": Case(graphs.text_classifier(6, positions=8), text(), tokenizer=graphs.tokenizer()),
    "anything, where no task is named": Case(graphs.identity({"x": TensorProto.STRING}), {"task": "Generic"}),
}


@pytest.mark.parametrize("case", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_what_agrees_is_served(tmp_path: Path, case: Case):
    model = opened(tmp_path, case)
    assert (model.classifier is not None) == (case.schema["task"] != "Generic")


def test_logits_are_told_from_probabilities(tmp_path: Path):
    for name, probabilities in (("p", True), ("l", False)):
        (tmp_path / name).mkdir()
        model = opened(
            tmp_path / name, Case(graphs.linear_classifier(3, 2, probabilities=probabilities), tabular("a b c"))
        )
        assert model.classifier is not None
        assert model.classifier.logits is not probabilities


def test_an_artifact_of_another_layout(tmp_path: Path):
    case = Case(LINEAR, tabular("a b c"))
    opened(tmp_path, case)
    (tmp_path / "artifact" / "model.onnx").rename(tmp_path / "artifact" / "weights-7.onnx")
    config = {"name": "m", "namespace": "n", "revision": "r", "modelDir": str(tmp_path / "artifact"), **case.schema}
    assert open_model(ServingConfig.model_validate(config)).artifact.model.name == "weights-7.onnx"
    graphs.save(LINEAR, tmp_path / "artifact" / "second.onnx")
    with pytest.raises(Unservable, match="2 ONNX files"):
        open_model(ServingConfig.model_validate(config))


def test_nothing_verified_is_nothing_served(tmp_path: Path):
    case = Case(LINEAR, tabular("a b c"))
    opened(tmp_path, case)
    (tmp_path / "verified.json").unlink()
    config = {"name": "m", "namespace": "n", "revision": "r", "modelDir": str(tmp_path / "artifact"), **case.schema}
    with pytest.raises(Unservable) as refused:
        open_model(ServingConfig.model_validate(config))
    assert refused.value.code == ExitCode.InvalidConfig


def test_a_termination_message_never_exceeds_its_limit():
    error = Unservable(ExitCode.SchemaMismatch, "é" * 9000, field="spec.schema.features")
    body = termination_of(error)
    assert len(body) <= 4096
    assert json.loads(body)["field"] == "spec.schema.features"
    assert json.loads(body)["message"].startswith("ééé")
