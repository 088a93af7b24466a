"""Stages with a name, a clock and a line of progress, so that long work is never silent."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table


@dataclass(slots=True)
class Stages:
    """Runs one stage after another and remembers how long each took."""

    console: Console = field(
        default_factory=lambda: Console(width=max(120, shutil.get_terminal_size().columns), highlight=False)
    )
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, title: str) -> Iterator[None]:
        """Prints the title, runs the body, and prints how long it took; a failure is marked and raised on."""
        self.console.print(f"\n[bold cyan]▸ {title}[/]")
        started = time.monotonic()
        try:
            yield
        except BaseException:
            self.console.print(f"  [bold red]failed[/] after {time.monotonic() - started:.0f} s")
            raise
        self.seconds[title] = time.monotonic() - started
        self.console.print(f"  [green]done[/] in {self.seconds[title]:.1f} s")

    def say(self, text: str) -> None:
        """Prints one line of what happens now."""
        self.console.print(f"  {text}")

    def table(self) -> Table:
        """Gives the stages and their times."""
        table = Table(title="Where the time went", title_justify="left", box=None, padding=(0, 2))
        table.add_column("stage")
        table.add_column("seconds", justify="right")
        for title, taken in self.seconds.items():
            table.add_row(title, f"{taken:.1f}")
        table.add_row("[bold]all[/]", f"[bold]{sum(self.seconds.values()):.1f}[/]")
        return table
