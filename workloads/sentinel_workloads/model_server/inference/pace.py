"""Where runs happen: on the loop when they are shorter than a hop to a thread costs, else in threads."""

from __future__ import annotations

import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sentinel_workloads.model_server.model.served import ServedModel
from sentinel_workloads.model_server.refusal import Refusal

INLINE_SECONDS = 0.0003
"""Above this time for one row a thread pays: the hop there and back costs some 25 µs of CPU."""
INLINE_BATCH_SECONDS = 0.001
"""The longest that a run may hold up the loop."""
ROUNDS = 30
MAX_SLOTS = 4
CPU_MAX = Path("/sys/fs/cgroup/cpu.max")


@dataclass(frozen=True, slots=True)
class Pace:
    """Batches of at most `inline_rows` rows run on the loop; larger ones in one of `slots` threads."""

    inline_rows: int
    slots: int
    row_seconds: float
    """Median time of a run of one row."""


def measure(model: ServedModel, *, max_size: int, threads: int) -> Pace:
    """Runs the model until it is warm, in sizes that it will meet, and decides.

    Only a model whose time is known from the number of rows may run on the loop: no free dimensions, no loops in it.
    """
    slots = max(1, min(MAX_SLOTS, int(available_cpus() // threads)))
    try:
        one = _median(model, rows=1)
        many = _median(model, rows=max_size) if model.batches and max_size > 1 else one
    except Refusal:
        return Pace(inline_rows=0, slots=slots, row_seconds=0.0)
    if one > INLINE_SECONDS or not model.graph.one_shape or model.graph.declared.loops:
        return Pace(inline_rows=0, slots=slots, row_seconds=one)
    each_more = max((many - one) / max(1, max_size - 1), 1e-7)
    rows = 1 + int((INLINE_BATCH_SECONDS - one) / each_more) if many > one else max_size
    return Pace(inline_rows=rows, slots=slots, row_seconds=one)


def available_cpus(quota: Path = CPU_MAX) -> float:
    """Counts the CPUs that this process may use: its affinity, bounded by the container's quota."""
    allowed = float(len(os.sched_getaffinity(0)))
    try:
        limit, period = quota.read_text().split()
    except (OSError, ValueError):
        return allowed
    return allowed if limit == "max" else min(allowed, int(limit) / int(period))


def _median(model: ServedModel, *, rows: int) -> float:
    feeds = model.sample
    if rows > 1:
        feeds = {name: np.repeat(array, rows, axis=0) for name, array in feeds.items()}
    model.session.run(feeds)
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        outputs = model.session.run(feeds)
        if model.classifier is not None:
            model.classifier.read(outputs)
        times.append(time.perf_counter() - began)
        if sum(times) > 1.0:
            break
    return statistics.median(times)
