"""onnxruntime alone, at the same rate as the servers: what is left to add."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import onnxruntime

FATAL_ONLY = 4


def bare(model: Path, row: list[float], *, per_second: float, seconds: float) -> tuple[float, float]:
    """Gives p50 and p99 of runs of one row in milliseconds."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = FATAL_ONLY
    session = onnxruntime.InferenceSession(model, options)
    name = session.get_inputs()[0].name
    times = []
    began = time.perf_counter()
    for number in range(int(per_second * seconds)):
        wait = began + number / per_second - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        start = time.perf_counter()
        session.run(None, {name: np.array([row], np.float32)})
        times.append((time.perf_counter() - start) * 1000)
    times.sort()
    return times[len(times) // 2], times[int(len(times) * 0.99)]
