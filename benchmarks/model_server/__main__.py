"""`python -m benchmarks.model_server`: prints the servers side by side and checks the ratios against gates.yaml."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

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


class Rounds:
    """Every server's outcomes, round by round: each round meets all of them in the same minute."""

    def __init__(self, names: list[str]) -> None:
        self.fast: dict[str, list[Outcome]] = {name: [] for name in names}
        self.steady: dict[str, list[Outcome]] = {name: [] for name in names}
        self.bare: list[tuple[float, float]] = []

    def figures(self) -> dict[str, float]:
        """Gives the medians over the rounds of what gates are set on."""
        rounds = range(len(self.bare))
        peers = [name for name in self.fast if name != OURS]
        ours_fast, ours_steady = self.fast[OURS], self.steady[OURS]
        added = [ours_steady[n].p99 - self.bare[n][1] for n in rounds]
        every = [outcome for table in (self.fast, self.steady) for outcome in table[OURS]]
        figures = {
            "requests that failed": float(sum(outcome.failures for outcome in every)),
            "p99 added to bare onnxruntime at 500/s, ms": statistics.median(added),
        }
        if peers:
            best = [max(self.fast[peer][n].per_second for peer in peers) for n in rounds]
            least = [min(self.steady[peer][n].p99 for peer in peers) for n in rounds]
            figures["saturation / best peer's"] = statistics.median(ours_fast[n].per_second / best[n] for n in rounds)
            figures["p99 at 500/s / best peer's"] = statistics.median(ours_steady[n].p99 / least[n] for n in rounds)
        return figures


def measure(built: Built, names: list[str], *, seconds: float, rounds: int) -> tuple[Rounds, list[Running]]:
    """Runs all servers at once, idle but for the one that is asked."""
    body, row = sample(built)
    outcomes = Rounds(names)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = [stack.enter_context(running(name, built, body, scratch / name)) for name in names]
        for server in servers:
            load(server.url, body, connections=CONNECTIONS, per_second=MAX, seconds=WARM_SECONDS)
        for _ in range(rounds):
            outcomes.bare.append(bare(built.artifact / "model.onnx", row, per_second=RATE, seconds=seconds))
            for server in servers:
                fast = load(server.url, body, connections=CONNECTIONS, per_second=MAX, seconds=seconds)
                steady = load(server.url, body, connections=CONNECTIONS, per_second=RATE, seconds=seconds)
                outcomes.fast[server.name].append(fast)
                outcomes.steady[server.name].append(steady)
        memory = {server.name: server.resident_mib for server in servers}
        show(outcomes, servers, memory)
    return outcomes, servers


def show(outcomes: Rounds, servers: list[Running], memory: dict[str, float]) -> None:
    """Prints the medians of every server."""
    table = Table(title=f"one row, JSON, {CONNECTIONS} connections", title_justify="left", box=None, padding=(0, 2))
    for column in ("server", "most/s", f"p50 at {RATE}/s, ms", "p99, ms", "memory, MiB", "start, s"):
        table.add_column(column, justify="left" if column == "server" else "right")
    median = statistics.median
    for server in servers:
        fast, steady = outcomes.fast[server.name], outcomes.steady[server.name]
        table.add_row(
            server.name,
            f"{median(outcome.per_second for outcome in fast):,.0f}",
            f"{median(outcome.p50 for outcome in steady):.2f}",
            f"{median(outcome.p99 for outcome in steady):.2f}",
            f"{memory[server.name]:,.0f}",
            f"{server.start_seconds:.1f}",
        )
    p50, p99 = (median(pair[index] for pair in outcomes.bare) for index in (0, 1))
    table.add_row("bare onnxruntime", "", f"{p50:.2f}", f"{p99:.2f}", "", "")
    Console().print(table)


def main() -> int:
    """Gives 0 when every gate holds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.model_server", description=__doc__)
    parser.add_argument("--peers", nargs="*", choices=tuple(PEERS), default=list(PEERS))
    parser.add_argument("--seconds", type=float, default=8.0, help="of each load")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    built = obtain(qos.recipe(qos.GOOD[0]), cache_root())
    outcomes, _ = measure(built, [OURS, *arguments.peers], seconds=arguments.seconds, rounds=arguments.rounds)
    return 0 if report("model_server", outcomes.figures()) else 1


if __name__ == "__main__":
    sys.exit(main())
