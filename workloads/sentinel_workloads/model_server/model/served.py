"""The model that is served: loaded, checked against its schema, and tried once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from sentinel_operator.api.serving import ServingConfig
from sentinel_workloads.model_server.model.artifact import Artifact, open_artifact
from sentinel_workloads.model_server.model.classifier import Classifier, classifier_of
from sentinel_workloads.model_server.model.encoded import Encoder
from sentinel_workloads.model_server.model.features import FeatureEncoder
from sentinel_workloads.model_server.model.graph import Graph
from sentinel_workloads.model_server.model.inspect import inspect
from sentinel_workloads.model_server.model.schema import TASK, check_features, check_labels, check_tokens
from sentinel_workloads.model_server.model.session import Inspecting, Session, blank, load
from sentinel_workloads.model_server.model.texts import TextEncoder, load_tokenizer
from sentinel_workloads.model_server.oip.datatypes import Array
from sentinel_workloads.model_server.refusal import Refusal
from sentinel_workloads.model_server.unservable import mismatch

PROBE_ROWS = 3
VECTOR_RANKS = (2, 3)
PROBE_TEXTS = ("a", "b c", "d e f")
Feeds = dict[str, Array]


@dataclass(frozen=True, slots=True)
class ServedModel:
    """All that answering needs to know of the model."""

    artifact: Artifact
    session: Session
    encoder: Encoder | None
    classifier: Classifier | None
    batches: bool
    """Rows of several requests may run together."""
    sample: Feeds
    """One row that the model takes."""
    padding: Mapping[str, int] = field(default_factory=dict)

    @property
    def graph(self) -> Graph:
        """What the model takes and gives."""
        return self.session.graph


def open_model(config: ServingConfig, *, inspecting: Inspecting = inspect) -> ServedModel:
    """Gives the model, or says which field of the spec it disagrees with."""
    artifact = open_artifact(config)
    session = load(artifact.model, threads=config.threads, inspecting=inspecting)
    encoder = _encoder(config, session.graph)
    if config.task in ("TextClassification", "TabularClassification"):
        check_labels(config.labels, session.graph)
    sample, several = _samples(session.graph, encoder)
    tried = _try(config, session, several or sample)
    rows = PROBE_ROWS if several else 1
    if isinstance(encoder, TextEncoder):
        _check_longest(config, session, encoder)
    batches = several is not None and tried is not None and _keeps_rows(tried)
    if batches:
        session.graph = _true_outputs(session.graph)
    if (
        tried is not None
        and config.task == "Embedding"
        and not any(output.dtype.kind == "f" and output.ndim in VECTOR_RANKS for output in tried)
    ):
        raise mismatch("the model gives no vectors [rows, size] or [rows, tokens, size]", field=TASK)
    classifier = None
    if tried is not None and config.task in ("TextClassification", "TabularClassification"):
        classifier = classifier_of(tried, config.labels, rows=rows)
    return ServedModel(
        artifact=artifact,
        session=session,
        encoder=encoder,
        classifier=classifier,
        batches=batches,
        sample=sample,
        padding=encoder.padding if isinstance(encoder, TextEncoder) else {},
    )


def _encoder(config: ServingConfig, graph: Graph) -> Encoder | None:
    rows = config.limits.max_batch_rows
    if config.task == "TextClassification" or (config.task == "Embedding" and not config.features):
        tokenizer = load_tokenizer(config)
        check_tokens(tokenizer, graph)
        return TextEncoder(tokenizer, graph, max_tokens=config.max_tokens, max_rows=rows)
    if config.task == "TabularClassification" or config.features:
        check_features(config.features, graph)
        return FeatureEncoder(config.features, graph, max_rows=rows)
    return None


def _samples(graph: Graph, encoder: Encoder | None) -> tuple[Feeds, Feeds | None]:
    """Makes one row and several different rows; None for the latter when the graph fixes the number of rows."""
    if isinstance(encoder, TextEncoder):
        return encoder.encode({"text": PROBE_TEXTS[-1]}).feeds, encoder.encode({"texts": list(PROBE_TEXTS)}).feeds
    one = {spec.name: blank(spec, rows=1) for spec in graph.inputs}
    if isinstance(encoder, FeatureEncoder):
        one = {name: _width(array, encoder.columns) for name, array in one.items()}
    if any(not spec.shape or spec.shape[0] is not None for spec in graph.inputs):
        return one, None
    return one, {name: _varied(array) for name, array in one.items()}


def _width(row: Array, columns: int) -> Array:
    return np.repeat(row, columns, axis=1) if columns > 1 and row.ndim > 1 and row.shape[1] == 1 else row


def _varied(row: Array) -> Array:
    """Repeats a row of zeros with other numbers, so that probabilities can be told from logits."""
    rows = np.repeat(row, PROBE_ROWS, axis=0)
    if rows.dtype.kind == "f":
        rows[1:] += np.linspace(-3, 7, rows[1:].size, dtype=rows.dtype).reshape(rows[1:].shape)
    return rows


def _try(config: ServingConfig, session: Session, feeds: Feeds) -> list[Array] | None:
    """Runs the model once; what it refuses here, it would refuse every request."""
    try:
        return session.run(feeds)
    except Refusal as refusal:
        if config.task == "Generic" and not config.features:
            return None  # Zeros of any size need not mean anything to it; warm-up bodies are the test then.
        raise mismatch(f"a first run failed: {refusal.message}", field=TASK) from refusal


def _check_longest(config: ServingConfig, session: Session, encoder: TextEncoder) -> None:
    try:
        session.run(encoder.encode({"text": "a " * config.max_tokens}).feeds)
    except Refusal as refusal:
        raise mismatch(
            f"the model fails on a text of {config.max_tokens} tokens: {refusal.message}", field="spec.schema.maxTokens"
        ) from refusal


def _keeps_rows(outputs: list[Array]) -> bool:
    return all(output.ndim > 0 and output.shape[0] == PROBE_ROWS for output in outputs)


def _true_outputs(graph: Graph) -> Graph:
    """Corrects exporters that wrote a fixed number of rows where the model was seen to give as many as it takes."""
    outputs = tuple(replace(spec, shape=(None, *spec.shape[1:])) if spec.shape else spec for spec in graph.outputs)
    return replace(graph, outputs=outputs)
