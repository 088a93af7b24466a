"""Texts: cut at the schema's number of tokens, padded only to run together, and the same answer either way."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from sentinel_workloads.model_server.inference.together import merged
from sentinel_workloads.model_server.inference.work import Work
from sentinel_workloads.model_server.model.graph import Graph, TensorSpec
from sentinel_workloads.model_server.model.texts import TextEncoder
from sentinel_workloads.model_server.oip.datatypes import BY_NAME
from sentinel_workloads.model_server.refusal import Refusal
from tests.unit.model_server import graphs

GRAPH = Graph(tuple(TensorSpec(name, BY_NAME["INT64"], (None, None)) for name in ("input_ids", "attention_mask")), ())


def an_encoder(max_tokens: int = 8) -> TextEncoder:
    return TextEncoder(graphs.tokenizer(), GRAPH, max_tokens=max_tokens, max_rows=4)


def test_a_text_becomes_its_tokens():
    encoded = an_encoder().encode({"text": "so very good"})
    assert encoded.feeds["input_ids"].tolist() == [[4, 5, 2]]
    assert encoded.feeds["attention_mask"].tolist() == [[1, 1, 1]]
    assert encoded.truncated == (False,)


def test_the_shorter_of_several_is_padded_and_masked():
    encoded = an_encoder().encode({"texts": ["good", "so very bad"]})
    assert encoded.feeds["input_ids"].tolist() == [[2, 0, 0], [4, 5, 3]]
    assert encoded.feeds["attention_mask"].tolist() == [[1, 0, 0], [1, 1, 1]]


def test_a_long_text_is_cut_and_says_so():
    encoded = an_encoder(2).encode({"texts": ["so so so so", "so"]})
    assert encoded.feeds["input_ids"].shape == (2, 2)
    assert encoded.truncated == (True, False)


def test_padding_to_run_together_changes_no_answer():
    session = onnxruntime.InferenceSession(graphs.text_classifier(6).SerializeToString())
    encoder = an_encoder()
    encoded = [encoder.encode({"text": text}) for text in ("good", "so very bad", "bad good")]
    works = [Work(one.feeds, rows=1, key=one.key, deadline=0, done=lambda _: None) for one in encoded]
    together = session.run(None, merged(works, encoder.padding))[0]
    alone = np.concatenate([session.run(None, one.feeds)[0] for one in encoded])
    assert together == pytest.approx(alone)


def test_texts_of_very_different_lengths_do_not_run_together():
    encoder = an_encoder(100)
    short, near, long = (encoder.encode({"text": "so " * count}).key for count in (3, 15, 90))
    assert short == near
    assert short != long


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "text"),
        ({"text": 3}, "text"),
        ({"text": ""}, "text"),
        ({"texts": []}, "texts"),
        ({"texts": ["good", None]}, "texts[1]"),
        ({"texts": ["good", ""]}, "texts[1]"),
        ({"texts": ["a"] * 5}, "texts"),
    ],
)
def test_what_is_no_text_is_refused_with_the_field(body, field: str):
    with pytest.raises(Refusal) as refused:
        an_encoder().encode(body)
    assert refused.value.field == field


def test_only_much_text_is_worth_a_thread():
    encoder = an_encoder()
    assert not encoder.is_heavy({"text": "so good"})
    assert encoder.is_heavy({"text": "so good " * 1000})
    assert encoder.is_heavy({"texts": ["so good " * 200] * 4})
    assert not encoder.is_heavy({"texts": [3]})
