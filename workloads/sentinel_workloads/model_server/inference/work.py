"""One request's share of a run."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from enum import Enum

from sentinel_workloads.model_server.model.classifier import Reading, Readings
from sentinel_workloads.model_server.oip.datatypes import Array
from sentinel_workloads.model_server.refusal import Refusal


class State(Enum):
    """Where a work is; only the event loop changes it."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"


class Work:
    """Tensors to run, and after `done(work)` was called, exactly once and on the loop, `outputs` or `error`."""

    __slots__ = (
        "deadline",
        "done",
        "enqueued",
        "error",
        "feeds",
        "key",
        "mirrored",
        "outputs",
        "reading",
        "rows",
        "start",
        "state",
    )

    def __init__(
        self,
        feeds: dict[str, Array],
        *,
        rows: int,
        key: Hashable,
        deadline: float,
        done: Callable[[Work], None],
        mirrored: bool = False,
    ) -> None:
        self.feeds = feeds
        self.rows = rows
        self.key = key
        """Only works of one key run together."""
        self.deadline = deadline
        """By the loop's clock."""
        self.done = done
        self.mirrored = mirrored
        """Another server's request, sent here to be compared."""
        self.enqueued = 0.0
        self.state = State.QUEUED
        self.outputs: list[Array] | None = None
        self.reading: Reading | None = None
        """Of the whole run; this work's rows begin at `start`."""
        self.start = 0
        self.error: Refusal | None = None

    @property
    def readings(self) -> Readings | None:
        """Gives labels and scores of this work's rows, where the model is a classifier."""
        return None if self.reading is None else self.reading.all().part(self.start, self.start + self.rows)
