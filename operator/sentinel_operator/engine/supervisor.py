"""Owns the background tasks: none ends unnoticed, and all are gone before the process is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from typing import Any

logger = logging.getLogger(__name__)

Task = asyncio.Task[Any]


class Supervisor:
    """Starts tasks that are meant to run for ever, tells of the first that did not, and cancels them."""

    def __init__(self) -> None:
        self._tasks: list[Task] = []
        self._ended: asyncio.Queue[Task] = asyncio.Queue()

    def keep(self, name: str, work: Coroutine[Any, Any, Any]) -> None:
        """Starts a task that is to run for ever."""
        _ = self.start(name, work)

    def start(self, name: str, work: Coroutine[Any, Any, Any], *, may_end: bool = False) -> Task:
        """Starts a task and gives it; one that may end is only heard of when it fails."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._failed if may_end else self._ended.put_nowait)
        self._tasks.append(task)
        return task

    @property
    def healthy(self) -> bool:
        """Tells whether no task has ended that should not have."""
        return self._ended.empty()

    async def first_end(self) -> Task:
        """Waits for a task to end, which none should."""
        return await self._ended.get()

    async def cancel(self, tasks: Iterable[Task] | None = None, *, within: float = 5.0) -> None:
        """Cancels tasks (all of them unless told which) and waits for them. Never raises."""
        chosen = list(self._tasks if tasks is None else tasks)
        for task in chosen:
            task.cancel()
        if chosen:
            _, late = await asyncio.wait(chosen, timeout=within)
            for task in late:
                logger.error("task %s does not end", task.get_name())

    def _failed(self, task: Task) -> None:
        if task.cancelled() or task.exception() is not None:
            self._ended.put_nowait(task)


def why(task: Task) -> str:
    """Says how a task ended."""
    if task.cancelled():
        return f"{task.get_name()} was cancelled"
    error = task.exception()
    return f"{task.get_name()} failed: {error!r}" if error else f"{task.get_name()} ended"
