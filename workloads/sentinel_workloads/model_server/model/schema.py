"""Whether a model's graph agrees with spec.schema; each disagreement names the field to look at."""

from __future__ import annotations

from tokenizers import Tokenizer

from sentinel_operator.api.sentrymodel import Feature
from sentinel_workloads.model_server.model.features import DATATYPES, is_matrix
from sentinel_workloads.model_server.model.graph import Graph, TensorSpec
from sentinel_workloads.model_server.model.inspect import TOKEN_IDS
from sentinel_workloads.model_server.model.texts import TOKEN_INPUTS
from sentinel_workloads.model_server.unservable import mismatch

FEATURES, LABELS, TASK, TOKENIZER = (
    "spec.schema.features",
    "spec.schema.labels",
    "spec.schema.task",
    "spec.schema.tokenizer",
)
MATRIX_RANK = 2


def check_features(features: tuple[Feature, ...], graph: Graph) -> None:
    """Refuses features that are not the graph's inputs, by number, type, or (where the file states them) name."""
    if not features:
        raise mismatch("this task needs the features' names", field=FEATURES)
    declared = graph.declared.features
    names = tuple(feature.name for feature in features)
    if declared and declared != names:
        _first_difference("feature", stated=declared, wanted=names, field=FEATURES)
    if is_matrix(graph, features):
        _check_matrix(features, graph.inputs[0], least=graph.declared.least_features)
    else:
        _check_columns(features, graph)


def check_labels(labels: tuple[str, ...], graph: Graph) -> None:
    """Refuses labels that differ, in name or order, from those that the file states."""
    if not labels:
        raise mismatch("this task needs the labels' names", field=LABELS)
    if len(set(labels)) != len(labels):
        raise mismatch("a label is named twice", field=LABELS)
    if graph.declared.labels and graph.declared.labels != labels:
        _first_difference("label", stated=graph.declared.labels, wanted=labels, field=LABELS)


def check_tokens(tokenizer: Tokenizer, graph: Graph) -> None:
    """Refuses a graph that does not take token ids, and a tokenizer with more tokens than the model knows."""
    names = {spec.name for spec in graph.inputs}
    if TOKEN_IDS not in names or not names <= TOKEN_INPUTS:
        raise mismatch(
            f"a text task needs a model that takes {TOKEN_IDS} (and attention_mask, token_type_ids);"
            f" this one takes {', '.join(sorted(names))}",
            field=TASK,
        )
    for spec in graph.inputs:
        if spec.datatype.name not in ("INT64", "INT32") or len(spec.shape) != MATRIX_RANK:
            raise mismatch(f"input {spec.name!r} must be integers [rows, tokens]", field=TASK)
        _check_rows(spec, field=TASK)
    rows, size = graph.declared.embedding_rows, tokenizer.get_vocab_size(with_added_tokens=True)
    if rows and size > rows:
        raise mismatch(f"the tokenizer has {size} tokens, the model knows {rows}", field=TOKENIZER)


def _check_matrix(features: tuple[Feature, ...], spec: TensorSpec, *, least: int) -> None:
    if len(spec.shape) != MATRIX_RANK:
        raise mismatch(
            f"input {spec.name!r} has {len(spec.shape)} dimensions, features need [rows, features]", field=FEATURES
        )
    columns = spec.shape[1]
    if columns is not None and columns != len(features):
        raise mismatch(f"the model takes {columns} features, the schema names {len(features)}", field=FEATURES)
    if least > len(features):
        raise mismatch(f"the model reads at least {least} features, the schema names {len(features)}", field=FEATURES)
    _check_rows(spec, field=FEATURES)
    for index, feature in enumerate(features):
        _check_dtype(feature, spec, index=index)


def _check_rows(spec: TensorSpec, *, field: str) -> None:
    if spec.shape[0] not in (None, 1):
        raise mismatch(f"input {spec.name!r} takes exactly {spec.shape[0]} rows at a time, not one", field=field)


def _check_columns(features: tuple[Feature, ...], graph: Graph) -> None:
    inputs = {spec.name: spec for spec in graph.inputs}
    names = [feature.name for feature in features]
    if missing := sorted(set(inputs) - set(names)):
        raise mismatch(f"the model takes {missing[0]!r}, which spec.schema.features does not name", field=FEATURES)
    for index, feature in enumerate(features):
        spec = inputs.get(feature.name)
        if spec is None:
            raise mismatch(f"the model has no input {feature.name!r}", field=f"{FEATURES}[{index}].name")
        if names.count(feature.name) > 1:
            raise mismatch(f"{feature.name!r} is named twice", field=f"{FEATURES}[{index}].name")
        if len(spec.shape) not in (1, MATRIX_RANK) or (
            len(spec.shape) == MATRIX_RANK and spec.shape[1] not in (1, None)
        ):
            raise mismatch(
                f"input {spec.name!r} is {spec.wire_shape}, a feature needs [rows] or [rows, 1]",
                field=f"{FEATURES}[{index}]",
            )
        _check_rows(spec, field=f"{FEATURES}[{index}]")
        _check_dtype(feature, spec, index=index)


def _check_dtype(feature: Feature, spec: TensorSpec, *, index: int) -> None:
    if DATATYPES[feature.dtype] != spec.datatype:
        wanted = next((name for name, datatype in DATATYPES.items() if datatype == spec.datatype), spec.datatype.name)
        raise mismatch(
            f"feature {feature.name!r} is {feature.dtype}, input {spec.name!r} of the model takes {wanted}",
            field=f"{FEATURES}[{index}].dtype",
        )


def _first_difference(what: str, *, stated: tuple[str, ...], wanted: tuple[str, ...], field: str) -> None:
    if len(stated) != len(wanted):
        raise mismatch(f"the model states {len(stated)} {what}s, the schema names {len(wanted)}", field=field)
    index = next(index for index, pair in enumerate(zip(stated, wanted, strict=True)) if pair[0] != pair[1])
    raise mismatch(
        f"{what} {index} is {stated[index]!r} in the model and {wanted[index]!r} in the schema",
        field=f"{field}[{index}]",
    )
