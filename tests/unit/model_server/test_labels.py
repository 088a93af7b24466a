"""The labels of a model are those that its schema names, in their order, however many there are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.unit.model_server import graphs
from tests.unit.model_server.test_schema import Case, opened, tabular

NAMES = ("very bad", "bad", "neither", "good", "very good", "furious", "sarcastic")


@pytest.mark.parametrize("number", [2, 3, 5, 7])
@pytest.mark.parametrize("probabilities", [True, False], ids=["probabilities", "logits"])
def test_every_class_gets_its_own_name(tmp_path: Path, number: int, probabilities: bool):
    """Two labels were built in, so that a model of three, five or seven classes answered with the wrong ones."""
    schema = tabular(" ".join(f"f{index}" for index in range(number)))
    schema["labels"] = list(NAMES[:number])
    model = opened(tmp_path, Case(graphs.linear_classifier(number, number, probabilities=probabilities), schema))
    assert model.classifier is not None
    [fed] = model.sample
    rows = np.eye(number, dtype=np.float32) * 4
    found = model.classifier.read(model.session.run({fed: rows}))
    assert [schema["labels"][index] for index in found.best] == list(NAMES[:number])
    assert found.probabilities.sum(axis=1) == pytest.approx(np.ones(number))
