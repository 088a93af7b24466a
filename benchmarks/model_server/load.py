"""Load by fortio: every request with its own time, all connections kept."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass

from benchmarks.model_server.environments import fortio

MAX = 0
"""As fast as answers come."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a load came to; times in milliseconds."""

    per_second: float
    p50: float
    p99: float
    failures: int


def load(url: str, body: str, *, connections: int, per_second: float, seconds: float) -> Outcome:
    """Sends the body again and again; at a fixed rate the requests are spread evenly over the connections."""
    command = [str(fortio()), "load", "-quiet", "-json", "-", "-uniform", "-allow-initial-errors"]
    command += ["-c", str(connections), "-qps", str(per_second), "-t", f"{seconds}s", "-p", "50,99"]
    # Bins of 20 µs: the default of 1 ms would round the figures that are compared.
    command += ["-r", "0.00002", "-content-type", "application/json", "-payload", body, url]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds + 60)
    result = json.loads(done.stdout)
    times = {entry["Percentile"]: entry["Value"] * 1000 for entry in result["DurationHistogram"]["Percentiles"]}
    codes = result["RetCodes"]
    failures = sum(count for code, count in codes.items() if code != "200")
    return Outcome(result["ActualQPS"], times[50], times[99], failures)
