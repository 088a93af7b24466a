"""`python -m benchmarks.policy`: one change judged by many policies, beside a bare loop over the same bounds."""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.gates import report
from benchmarks.policy import bare
from benchmarks.policy.cases import decisions, policies
from sentinel_operator.core.policy.facts import Facts
from sentinel_operator.core.policy.plan import judge_plan

POLICIES = 100


def timed(judge: Callable[[Facts], object], cases: Sequence[Facts]) -> list[float]:
    """Gives how long each judgement kept a core busy, in milliseconds, sorted. What else runs on the machine is not
    in it: a decision waits for nothing."""
    taken = []
    for case in cases:
        began = time.thread_time()
        judge(case)
        taken.append((time.thread_time() - began) * 1000)
    return sorted(taken)


def at(share: float, ordered: Sequence[float]) -> float:
    """Gives a quantile of sorted figures."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def main() -> int:
    """Gives 0 when every gate holds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.policy", description=__doc__)
    parser.add_argument("--decisions", type=int, default=3000)
    arguments = parser.parse_args()
    known, cases = policies(POLICIES), decisions(arguments.decisions)
    bounds = bare.bounds(known)
    timed(lambda case: judge_plan(known, [case]), cases[:100])
    gc.freeze()
    ours = timed(lambda case: judge_plan(known, [case]), cases)
    loop = timed(lambda case: bare.judge(bounds, case), cases)
    table = Table(title=f"ms of a core a decision, {POLICIES} policies", title_justify="left", box=None, padding=(0, 2))
    for column in ("", "p50", "p99", "max"):
        table.add_column(column, justify="right" if column else "left")
    for name, figures in (("judged, with its trace", ours), ("bare loop", loop)):
        table.add_row(name, f"{at(0.5, figures):.3f}", f"{at(0.99, figures):.3f}", f"{figures[-1]:.3f}")
    Console(width=100).print(table)
    figures = {
        "decision with 100 policies p99, ms": at(0.99, ours),
        "judged / bare loop p50": at(0.5, ours) / at(0.5, loop),
        "disagreements with the bare loop": float(
            sum((judge_plan(known, [case]).effect == "Reject") != bare.judge(bounds, case) for case in cases[:500])
        ),
    }
    return 0 if report("policy", figures) else 1


if __name__ == "__main__":
    sys.exit(main())
