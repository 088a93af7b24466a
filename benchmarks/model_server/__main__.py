"""`python -m benchmarks.model_server`: prints the servers side by side and checks the ratios against gates.yaml."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import onnx
from rich.console import Console
from rich.table import Table

from benchmarks.gates import report
from benchmarks.model_server.bare import bare
from benchmarks.model_server.load import MAX, Outcome, load
from benchmarks.model_server.servers import OURS, PEERS, Running, running
from demo.models import qos
from demo.models.cache import Built, cache_root, obtain

CONNECTIONS = 16
RATE = 500
WARM_SECONDS = 2.0


def sample(built: Built) -> tuple[str, list[float]]:
    """Gives an inference request of one row, and the row."""
    flow = json.loads((built.samples / "samples.json").read_text())["samples"][0]["features"]
    row = [flow[name] for name in built.facts.features]
    name = onnx.load(built.artifact / "model.onnx").graph.input[0].name
    tensor = {"name": name, "shape": [1, len(row)], "datatype": "FP32", "data": row}
    return json.dumps({"inputs": [tensor]}), row


@dataclass(frozen=True, slots=True)
class Seen:
    """One server in one round."""

    fast: Outcome
    steady: Outcome
    memory_mib: float
    start_seconds: float


@dataclass(slots=True)
class Rounds:
    """Every server, round by round: each round meets all of them in the same minutes."""

    servers: dict[str, list[Seen]] = field(default_factory=dict)
    bare: list[tuple[float, float]] = field(default_factory=list)

    def figures(self) -> dict[str, float]:
        """Gives the medians over the rounds of what gates are set on."""
        ours = self.servers[OURS]
        peers = [seen for name, seen in self.servers.items() if name != OURS]
        added = [seen.steady.p99 - p99 for seen, (_, p99) in zip(ours, self.bare, strict=True)]
        figures = {
            "requests that failed": float(sum(seen.fast.failures + seen.steady.failures for seen in ours)),
            f"p99 added to bare onnxruntime at {RATE}/s, ms": median(added),
        }
        if peers:
            most = [max(seen.fast.per_second for seen in turn) for turn in zip(*peers, strict=True)]
            least = [min(seen.steady.p99 for seen in turn) for turn in zip(*peers, strict=True)]
            figures["saturation / best peer's"] = median(
                seen.fast.per_second / best for seen, best in zip(ours, most, strict=True)
            )
            figures[f"p99 at {RATE}/s / best peer's"] = median(
                seen.steady.p99 / best for seen, best in zip(ours, least, strict=True)
            )
        return figures


def measure(built: Built, names: list[str], *, seconds: float, rounds: int) -> Rounds:
    """Runs the servers one after another, each alone: some are busy even when nobody asks."""
    body, row = sample(built)
    outcomes = Rounds({name: [] for name in names})
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            outcomes.bare.append(bare(built.artifact / "model.onnx", row, per_second=RATE, seconds=seconds))
            for name in names:
                with running(name, built, body, Path(folder) / f"{name}-{number}") as server:
                    outcomes.servers[name].append(look(server, body, seconds=seconds))
    return outcomes


def look(server: Running, body: str, *, seconds: float) -> Seen:
    """Warms a server up, then asks it as fast as it can and at a steady rate."""
    load(server.url, body, connections=CONNECTIONS, per_second=MAX, seconds=WARM_SECONDS)
    return Seen(
        fast=load(server.url, body, connections=CONNECTIONS, per_second=MAX, seconds=seconds),
        steady=load(server.url, body, connections=CONNECTIONS, per_second=RATE, seconds=seconds),
        memory_mib=server.resident_mib,
        start_seconds=server.start_seconds,
    )


def show(outcomes: Rounds) -> None:
    """Prints the medians of every server."""
    table = Table(title=f"one row, JSON, {CONNECTIONS} connections", title_justify="left", box=None, padding=(0, 2))
    for column in ("server", "most/s", f"p50 at {RATE}/s", "p99, ms", "MiB", "start, s"):
        table.add_column(column, justify="left" if column == "server" else "right", no_wrap=True)
    for name, seen in outcomes.servers.items():
        table.add_row(
            name,
            f"{median(one.fast.per_second for one in seen):,.0f}",
            f"{median(one.steady.p50 for one in seen):.2f}",
            f"{median(one.steady.p99 for one in seen):.2f}",
            f"{median(one.memory_mib for one in seen):,.0f}",
            f"{median(one.start_seconds for one in seen):.1f}",
        )
    p50, p99 = (median(pair[index] for pair in outcomes.bare) for index in (0, 1))
    table.add_row("onnxruntime alone", "", f"{p50:.2f}", f"{p99:.2f}", "", "")
    Console(width=100).print(table)


def main() -> int:
    """Gives 0 when every gate holds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.model_server", description=__doc__)
    parser.add_argument("--peers", nargs="*", choices=tuple(PEERS), default=list(PEERS))
    parser.add_argument("--seconds", type=float, default=8.0, help="of each load")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    built = obtain(qos.recipe(qos.GOOD[0]), cache_root())
    outcomes = measure(built, [OURS, *arguments.peers], seconds=arguments.seconds, rounds=arguments.rounds)
    show(outcomes)
    return 0 if report("model_server", outcomes.figures()) else 1


if __name__ == "__main__":
    sys.exit(main())
