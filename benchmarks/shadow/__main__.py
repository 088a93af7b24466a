"""`python -m benchmarks.shadow`: one server with and without a mirror, in turns; what the mirror costs its clients."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.gates import report
from benchmarks.hot_swap.pod import Pod
from benchmarks.model_server.__main__ import sample
from benchmarks.model_server.load import Outcome, load
from demo.models import qos
from demo.models.cache import cache_root, obtain

CONNECTIONS = 16
RATE = 500
WARM_SECONDS = 2.0
Pair = tuple[Outcome, Outcome]
"""Without a mirror, and with one that takes every request."""


def measure(folder: Path, *, seconds: float, rounds: int) -> tuple[list[Pair], float]:
    """Gives every round, and the share of the mirrored requests that were compared."""
    first, second = (obtain(qos.recipe(variant), cache_root()) for variant in qos.GOOD)
    body, _ = sample(first)
    for name in ("stable", "candidate"):
        (folder / name).mkdir()
    candidate, stable = Pod(folder / "candidate", {"b": second}), Pod(folder / "stable", {"a": first})
    candidate.instruct("b")
    stable.instruct("a")
    shadow = {"revision": "b", "percent": 100, "urls": [f"http://127.0.0.1:{candidate.port}"]}

    def ask(length: float) -> Outcome:
        return load(stable.url, body, connections=CONNECTIONS, per_second=RATE, seconds=length)

    found = []
    with candidate.served(), stable.served():
        ask(WARM_SECONDS)
        for _ in range(rounds):
            stable.instruct("a")
            stable.until(r"\A(?![\s\S]*sentinel_shadow_compared_total)", "without a mirror")
            without = ask(seconds)
            stable.instruct("a", shadow=shadow)
            ask(WARM_SECONDS)
            found.append((without, ask(seconds)))
            stable.until(r"^sentinel_shadow_compared_total\{.*\} [1-9]", "compared")
        counts = {name: stable.total(f"sentinel_shadow_{name}_total") for name in ("compared", "failed", "dropped")}
    return found, counts["compared"] / max(1.0, sum(counts.values()))


def show(rounds: list[Pair]) -> None:
    """Prints every round."""
    table = Table(title=f"ms at {RATE}/s, all mirrored", title_justify="left", box=None, padding=(0, 2))
    for column in ("p50 without", "p50 with", "p99 without", "p99 with"):
        table.add_column(column, justify="right")
    for without, mirrored in rounds:
        table.add_row(*(f"{value:.2f}" for value in (without.p50, mirrored.p50, without.p99, mirrored.p99)))
    Console(width=100).print(table)


def main() -> int:
    """Gives 0 when every gate holds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shadow", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each load")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rounds, share = measure(Path(folder), seconds=arguments.seconds, rounds=arguments.rounds)
    show(rounds)
    figures = {
        f"p99 added at {RATE}/s, ms": median(mirrored.p99 - without.p99 for without, mirrored in rounds),
        f"p50 added at {RATE}/s, ms": median(mirrored.p50 - without.p50 for without, mirrored in rounds),
        "mirrored requests that were compared": share,
        "requests that failed": float(sum(each.failures for pair in rounds for each in pair)),
    }
    return 0 if report("shadow", figures) else 1


if __name__ == "__main__":
    sys.exit(main())
