"""Runs several requests as one, and gives each its own rows, or its own failure."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import numpy as np

from sentinel_workloads.model_server.inference.work import Work
from sentinel_workloads.model_server.model.classifier import Reading
from sentinel_workloads.model_server.model.served import ServedModel
from sentinel_workloads.model_server.oip.datatypes import Array
from sentinel_workloads.model_server.refusal import Cause, Refusal

LOG = logging.getLogger(__name__)


def run_together(model: ServedModel, works: list[Work]) -> None:
    """Fills in outputs or error of each. When the whole fails, each runs alone: one bad request fails only itself."""
    try:
        if len(works) == 1:
            _run_one(model, works[0])
        else:
            _run_several(model, works)
    except Refusal as refusal:
        failure = refusal
    except Exception:
        LOG.exception("a run failed")
        failure = Refusal(Cause.FAILED, "the model failed")
    else:
        return
    if len(works) == 1:
        works[0].error = failure
    else:
        for work in works:
            run_together(model, [work])


def _run_one(model: ServedModel, work: Work) -> None:
    work.outputs = outputs = model.session.run(work.feeds)
    if model.classifier is not None:
        work.reading = Reading(model.classifier, outputs)


def _run_several(model: ServedModel, works: list[Work]) -> None:
    rows = sum(work.rows for work in works)
    outputs = model.session.run(merged(works, model.padding))
    if any(output.ndim == 0 or output.shape[0] != rows for output in outputs):
        raise Refusal(Cause.FAILED, "the model gave another number of rows than it was given")
    reading = Reading(model.classifier, outputs) if model.classifier is not None else None
    start = 0
    for work in works:
        stop = start + work.rows
        work.outputs = [output[start:stop] for output in outputs]
        work.reading, work.start = reading, start
        start = stop


def merged(works: list[Work], padding: Mapping[str, int]) -> dict[str, Array]:
    """Puts the rows of all behind one another; where token counts differ, the shorter are padded."""
    return {name: _stack([work.feeds[name] for work in works], fill=padding.get(name, 0)) for name in works[0].feeds}


def _stack(parts: list[Array], *, fill: int) -> Array:
    if parts[0].ndim < 2 or all(part.shape[1] == parts[0].shape[1] for part in parts):
        return np.concatenate(parts)
    width = max(part.shape[1] for part in parts)
    stacked = np.full((sum(len(part) for part in parts), width), fill, parts[0].dtype)
    start = 0
    for part in parts:
        stacked[start : start + len(part), : part.shape[1]] = part
        start += len(part)
    return stacked
