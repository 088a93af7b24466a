"""The last real inputs, in memory alone: bounded in number and in bytes, never written and never logged."""

from __future__ import annotations

from collections import deque

from sentinel_workloads.model_server.api.sample import Answered, Sample


class Ring:
    """Keeps what came last. Of size 0 until somebody wants to replay."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque()
        self._most = 0
        self._most_bytes = 0
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._samples)

    def resize(self, *, most: int, most_bytes: int) -> None:
        """Keeps at most this much from now on."""
        self._most, self._most_bytes = most, most_bytes
        self._shrink()

    def answered(self, answered: Answered) -> None:
        """Keeps a request, and drops the oldest that it takes the place of."""
        sample = answered.sample
        if sample.size > self._most_bytes:
            return
        self._samples.append(sample)
        self.bytes += sample.size
        self._shrink()

    def last(self) -> tuple[Sample, ...]:
        """Gives what is kept, the oldest first."""
        return tuple(self._samples)

    def _shrink(self) -> None:
        while self._samples and (len(self._samples) > self._most or self.bytes > self._most_bytes):
            self.bytes -= self._samples.popleft().size
