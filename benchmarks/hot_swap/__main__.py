"""`python -m benchmarks.hot_swap`: swaps and returns under load, and checks what that did to the slowest requests."""

from __future__ import annotations

import argparse
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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
REPLAY = {"replay": 200, "replayBytes": 8_000_000}


@dataclass(frozen=True, slots=True)
class Round:
    """The same load three times: nothing happens; all of one swap happens; one swap follows the other without pause."""

    before: Outcome
    once: Outcome
    always: Outcome
    swaps: int

    @property
    def failures(self) -> int:
        """Requests without a good answer."""
        return self.before.failures + self.once.failures + self.always.failures


def swap(pod: Pod, former: str, candidate: str) -> None:
    """Loads the candidate, compares it, swaps, returns, swaps again, and unloads the former."""
    with pod.saying("compared"):
        pod.instruct(former, candidate, candidate=candidate, **REPLAY)
    for name in (candidate, former, candidate):
        with pod.saying("swapped"):
            pod.instruct(name, former, candidate, **REPLAY)
    with pod.saying("unloaded"):
        pod.instruct(candidate, **REPLAY)


def one(folder: Path, number: int, *, seconds: float) -> Round:
    """One server, from its start."""
    first, second = (obtain(qos.recipe(variant), cache_root()) for variant in qos.GOOD)
    body, _ = sample(first)
    home = folder / str(number)
    home.mkdir()
    pod = Pod(home, {"a": first, "b": second})

    def ask(length: float) -> Outcome:
        return load(pod.url, body, connections=CONNECTIONS, per_second=RATE, seconds=length)

    pod.instruct("a", **REPLAY)
    with pod.served(), ThreadPoolExecutor(1) as beside:
        ask(WARM_SECONDS)
        before = ask(seconds)
        loading = beside.submit(ask, seconds)
        swap(pod, "a", "b")
        once = loading.result()
        loading = beside.submit(ask, seconds)
        swaps = 0
        while not loading.done():
            swap(pod, *(("b", "a") if swaps % 2 == 0 else ("a", "b")))
            swaps += 1
        return Round(before, once, loading.result(), swaps)


def show(rounds: list[Round]) -> None:
    """Prints every round."""
    table = Table(title=f"p99 in ms at {RATE}/s, two real models", title_justify="left", box=None, padding=(0, 2))
    for column in ("before", "one swap", "without pause", "swaps", "failed"):
        table.add_column(column, justify="right")
    for each in rounds:
        p99s = (f"{outcome.p99:.2f}" for outcome in (each.before, each.once, each.always))
        table.add_row(*p99s, str(each.swaps), str(each.failures))
    Console(width=100).print(table)


def main() -> int:
    """Gives 0 when every gate holds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hot_swap", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each load")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rounds = [one(Path(folder), number, seconds=arguments.seconds) for number in range(arguments.rounds)]
    show(rounds)
    figures = {
        "p99 during the swap / before": median(each.once.p99 / each.before.p99 for each in rounds),
        "p99 of swaps without pause / before": median(each.always.p99 / each.before.p99 for each in rounds),
        "requests that failed": float(sum(each.failures for each in rounds)),
    }
    return 0 if report("hot_swap", figures) else 1


if __name__ == "__main__":
    sys.exit(main())
