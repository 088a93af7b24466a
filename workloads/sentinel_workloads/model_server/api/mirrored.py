"""Answers to requests that another server mirrored here: what it compares, and nothing else."""

from __future__ import annotations

from typing import Any

import orjson

from sentinel_operator.api.active import MIRRORED
from sentinel_workloads.model_server.inference.work import Work
from sentinel_workloads.model_server.revision import Revision

HEADER = MIRRORED.lower().encode()
MAX_ROWS = 64
"""Rows of a request that are compared."""


def read(work: Work, revision: Revision) -> tuple[list[str], list[float]]:
    """Gives label and confidence of the first rows; nothing where the model is no classifier."""
    readings = work.readings
    if readings is None:
        return [], []
    labels = revision.config.labels
    return [labels[best] for best in readings.best[:MAX_ROWS].tolist()], readings.scores[:MAX_ROWS].tolist()


def reading(work: Work, revision: Revision, *, seconds: float) -> bytes:
    """Gives the body of the answer (api.active.Reading)."""
    labels, scores = read(work, revision)
    body: dict[str, Any] = {"revision": revision.name, "labels": labels, "scores": scores, "seconds": seconds}
    return orjson.dumps(body)
