"""`python -m benchmarks.analysis`: simulates rollouts of known truth and checks how often the verdict is wrong."""

from __future__ import annotations

import argparse
import sys
from statistics import mean

from rich.console import Console
from rich.table import Table

from benchmarks.analysis.rollouts import Tally, many, spec
from benchmarks.analysis.traffic import AT_THE_BOUND, CANDIDATES
from benchmarks.gates import report

SPARSE = 300
DENSE = 3000
"""Requests in 30 s; a tenth of them goes to the candidate."""


def measure(*, runs: int, console: Console) -> dict[str, float]:
    """Gives the rates of wrong verdicts: of the worst candidate, the upper end of the 95 % interval."""
    table = Table(title=f"{runs} rollouts each", title_justify="left", box=None, padding=(0, 2))
    for column in ("mode", "requests/30 s", "candidate", "Pass", "Fail", "Inconclusive", "looks"):
        table.add_column(column)
    figures: dict[str, float] = {}
    for requests in (DENSE, SPARSE):
        for mode in ("interval", "sequential"):
            for name, candidate in CANDIDATES.items():
                tally = many(spec(sequential=mode == "sequential"), candidate, runs=runs, seed=7, requests=requests)
                _row(table, mode, requests, name, tally)
                wrong, what = ("Fail", "equal, but failed") if name == "equal" else ("Pass", "bad, but passed")
                figure = f"{what}: {mode}, {requests} requests/30 s"
                figures[figure] = max(figures.get(figure, 0.0), 100 * tally.wilson(wrong)[1])
    for name, candidate in AT_THE_BOUND.items():
        tally = many(spec(sequential=True), candidate, runs=runs, seed=11, requests=DENSE)
        _row(table, "sequential", DENSE, f"at the bound: {name}", tally)
        figure = "at the bound, but failed: sequential"
        figures[figure] = max(figures.get(figure, 0.0), 100 * tally.wilson("Fail")[1])
    console.print(table)
    return figures


def _row(table: Table, mode: str, requests: int, name: str, tally: Tally) -> None:
    shares = [f"{100 * tally.share(verdict):.1f} %" for verdict in ("Pass", "Fail", "Inconclusive")]
    table.add_row(mode, str(requests), name, *shares, f"{mean(tally.looks):.1f}")


def main() -> int:
    """Gives 1 when a gate is not held."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.analysis", description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    options = parser.parse_args()
    console = Console()
    return 0 if report("analysis", measure(runs=options.runs, console=console), console=console) else 1


if __name__ == "__main__":
    sys.exit(main())
