"""`python -m benchmarks [NAME…]`: runs every benchmark, or those that are named, one after another, with one verdict.

A benchmark is a package of this folder with a `__main__` that gives 0 when its gates hold. Each runs alone, in a
process of its own: what one leaves in memory is not measured by the next. One that fails does not keep the others
from running.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Ended:
    """How one benchmark ended."""

    name: str
    code: int
    seconds: float

    @property
    def verdict(self) -> str:
        """Says it in a word: 1 is what a benchmark gives for a gate that does not hold."""
        return {0: "ok", 1: "OUTSIDE"}.get(self.code, f"BROKEN (exit code {self.code})")


def found(folder: Path) -> tuple[str, ...]:
    """Gives the benchmarks of a folder by name."""
    return tuple(sorted(path.parent.name for path in folder.glob("*/__main__.py")))


def run(package: str, name: str) -> Ended:
    """Runs one to its end, its output going where ours goes."""
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", f"{package}.{name}"], check=False)
    return Ended(name, done.returncode, time.perf_counter() - started)


def show(outcomes: Sequence[Ended], console: Console) -> None:
    """Prints the verdict of each and of all."""
    table = Table(title="benchmarks", title_justify="left", box=None, padding=(0, 2), show_header=False)
    for each in outcomes:
        table.add_row(each.name, f"{each.seconds:,.0f} s", each.verdict)
    console.print(table)
    failed = [each.name for each in outcomes if each.code]
    console.print(f"not as it should be: {', '.join(failed)}" if failed else "every gate holds")


def main(arguments: Sequence[str] | None = None, *, folder: Path = HERE) -> int:
    """Gives 0 when every gate of every benchmark that ran holds."""
    names = found(folder)
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}; all, unless named")
    chosen = parser.parse_args(arguments).names or names
    if unknown := sorted(set(chosen) - set(names)):
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(names)}")
    console = Console()
    outcomes = []
    for name in chosen:
        console.rule(name)
        outcomes.append(run(folder.name, name))
    show(outcomes, console)
    return 1 if any(each.code for each in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
