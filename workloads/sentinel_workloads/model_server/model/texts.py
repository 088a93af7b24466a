"""Texts as token tensors, by the artifact's own tokenizer, cut at the schema's number of tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from sentinel_operator.api.serving import ServingConfig
from sentinel_workloads.model_server.model.encoded import Body, Encoded, instances_of
from sentinel_workloads.model_server.model.graph import Graph
from sentinel_workloads.model_server.model.inspect import TOKEN_IDS
from sentinel_workloads.model_server.oip.datatypes import Array
from sentinel_workloads.model_server.refusal import invalid
from sentinel_workloads.model_server.unservable import mismatch

MASK, TYPES = "attention_mask", "token_type_ids"
TOKEN_INPUTS = frozenset({TOKEN_IDS, MASK, TYPES})
PADDING_TOKENS = ("[PAD]", "<pad>", "<|padding|>")
HEAVY_CHARACTERS = 2000
"""About where tokenizing takes longer than a hop to a thread and back."""
BUCKET = 16
"""Texts whose lengths differ by less may run together, the shorter padded: wider buckets pay more than they win."""


def load_tokenizer(config: ServingConfig) -> Tokenizer:
    """Reads the tokenizer; a missing or broken one is a mismatch with spec.schema.tokenizer."""
    path = Path(config.model_dir) / config.tokenizer
    if not path.resolve().is_relative_to(Path(config.model_dir).resolve()):
        raise mismatch(f"{config.tokenizer} lies outside the artifact", field="spec.schema.tokenizer")
    if not path.is_file():
        raise mismatch(f"the artifact holds no {config.tokenizer}", field="spec.schema.tokenizer")
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises plain Exception
        raise mismatch(f"{config.tokenizer} is not a tokenizer: {error}", field="spec.schema.tokenizer") from error


class TextEncoder:
    """Encodes texts. `padding` says with what shorter inputs are filled up, by input."""

    one, many = "text", "texts"

    def __init__(self, tokenizer: Tokenizer, graph: Graph, *, max_tokens: int, max_rows: int) -> None:
        self._max_rows = max_rows
        self._inputs = {spec.name: spec.datatype.numpy for spec in graph.inputs}
        self.padding = {TOKEN_IDS: _pad_id(tokenizer), MASK: 0, TYPES: 0}
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_length=max_tokens)
        self._tokenizer = tokenizer

    def is_heavy(self, body: Body) -> bool:
        """Tells whether there is so much text that others would wait."""
        text, texts = body.get(self.one), body.get(self.many)
        if isinstance(text, str):
            return len(text) > HEAVY_CHARACTERS
        return isinstance(texts, list) and sum(len(t) for t in texts if isinstance(t, str)) > HEAVY_CHARACTERS

    def encode(self, body: Body) -> Encoded:
        """Gives ids, mask and types as far as the graph takes them, padded to the longest of the request."""
        texts, single = instances_of(body, one=self.one, many=self.many, limit=self._max_rows)
        for index, text in enumerate(texts):
            if not isinstance(text, str):
                raise invalid("a text must be a string", field=self.one if single else f"{self.many}[{index}]")
        encodings = self._tokenizer.encode_batch_fast(texts) if len(texts) > 1 else [self._tokenizer.encode(texts[0])]
        lengths = [len(encoding.ids) for encoding in encodings]
        if 0 in lengths:
            raise invalid("a text is empty", field=self.one if single else f"{self.many}[{lengths.index(0)}]")
        length = max(lengths)
        feeds = {name: self._tensor(name, encodings, length=length) for name in self._inputs}
        return Encoded(
            feeds=feeds,
            rows=len(texts),
            single=single,
            key=("tokens", -(-length // BUCKET)),
            truncated=tuple(bool(encoding.overflowing) for encoding in encodings),
        )

    def _tensor(self, name: str, encodings: list[Any], *, length: int) -> Array:
        tensor = np.full((len(encodings), length), self.padding[name], self._inputs[name])
        for row, encoding in enumerate(encodings):
            values = _values(name, encoding)
            tensor[row, : len(values)] = values
        return tensor


def _values(name: str, encoding: Any) -> list[int]:
    match name:
        case "input_ids":
            values: list[int] = encoding.ids
        case "attention_mask":
            values = encoding.attention_mask
        case _:
            values = encoding.type_ids
    return values


def _pad_id(tokenizer: Tokenizer) -> int:
    if tokenizer.padding is not None:
        return int(tokenizer.padding["pad_id"])
    found = (tokenizer.token_to_id(token) for token in PADDING_TOKENS)
    return next((token for token in found if token is not None), 0)
