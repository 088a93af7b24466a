"""The progress of a scan on a terminal; nothing where nobody looks."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from sentinel_workloads.scan.shard.tally import Tally

_INTERVAL_SECONDS = 0.2


class Bar:
    """How far a scan is, on standard error."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[documents]:,} documents, {task.fields[bad]:,} quarantined"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=quiet or not sys.stderr.isatty(),
        )
        self._task = self._progress.add_task("starting", total=None, documents=0, bad=0)
        self._before = (0, 0, 0)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def step(self, name: str) -> None:
        """Says what is done now."""
        self._progress.update(self._task, description=name)

    def begin(self, total: int) -> None:
        """Says how much there is to read."""
        self._progress.update(self._task, description="judging", total=max(1, total))

    @asynccontextmanager
    async def watching(self, tally: Tally) -> AsyncIterator[None]:
        """Shows a shard's progress on top of that of the shards before it."""
        watch = asyncio.create_task(self._watch(tally))
        try:
            yield
        finally:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch
            self._before = self._show(tally)

    async def _watch(self, tally: Tally) -> None:
        while True:
            self._show(tally)
            await asyncio.sleep(_INTERVAL_SECONDS)

    def _show(self, tally: Tally) -> tuple[int, int, int]:
        counts = tally.progress.counts
        read, documents, bad = self._before
        now = (read + counts.bytes, documents + counts.documents, bad + counts.quarantined + counts.failed)
        self._progress.update(self._task, completed=now[0], documents=now[1], bad=now[2])
        return now
