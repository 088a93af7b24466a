"""Small objects asked for before their turn: one after another they would take a round trip each."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence

from typing_extensions import override

from sentinel_operator.api.scanning import Reading, Work
from sentinel_workloads.scan.readers.document import Document, Reader
from sentinel_workloads.scan.readers.whole import WholeObject
from sentinel_workloads.scan.store import ObjectStore

AT_ONCE = 16
HELD_BYTES = 8 * 1024**2
SMALL_BYTES = 1024**2


class Prefetched:
    """Readers of objects that are one small document each; of others it has none."""

    def __init__(self, store: ObjectStore, work: Sequence[Work], reading: Reading) -> None:
        self._store, self._work, self._reading = store, work, reading
        self._asked: deque[tuple[int, _Fetched]] = deque()
        self._held = 0

    def reader(self, index: int) -> Reader | None:
        """The reader of that part, asked for already; and asks for those after it. Call it for each part in order."""
        if not self._small(index):
            return None
        while self._asked and self._asked[0][0] < index:
            self._release()
        next_index = self._asked[-1][0] + 1 if self._asked else index
        while next_index < len(self._work) and self._small(next_index):
            size = self._work[next_index].size
            if self._asked and (len(self._asked) >= AT_ONCE or self._held + size > HELD_BYTES):
                break
            self._asked.append((next_index, _Fetched(WholeObject(self._store, self._work[next_index], self._reading))))
            self._held += size
            next_index += 1
        return self._asked[0][1]

    def _small(self, index: int) -> bool:
        work = self._work[index]
        return work.format in {"txt", "unknown"} and work.size <= SMALL_BYTES

    def _release(self) -> None:
        index, _ = self._asked.popleft()
        self._held -= self._work[index].size

    async def close(self) -> None:
        """Ends what is under way."""
        tasks = [fetched.task for _, fetched in self._asked]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Fetched(Reader):
    """An object that is on its way."""

    def __init__(self, whole: WholeObject) -> None:
        self._whole = whole
        self.task = asyncio.create_task(whole.document())
        self.task.add_done_callback(_seen)
        self.sha256 = ""

    @override
    async def documents(self) -> AsyncGenerator[Document, None]:
        yield await self.task
        self.sha256 = self._whole.sha256


def _seen(task: asyncio.Task[Document]) -> None:
    """What nobody comes to ask for any more must not be complained about."""
    if not task.cancelled():
        task.exception()
