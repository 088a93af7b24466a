"""JSON lines on standard error: what happened, to which request and revision, and never what was in it."""

from __future__ import annotations

import logging
import sys
import time
from datetime import UTC, datetime
from typing import Any

import orjson
from typing_extensions import override

MAX_LINES_PER_SECOND = 50
"""Of each logger: an overload must not be made worse by telling of each request."""
_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """One object a line; `extra` of the call becomes members."""

    def __init__(self, common: dict[str, str]) -> None:
        super().__init__()
        self._common = common

    @override
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name.removeprefix("sentinel_workloads."),
            "msg": record.getMessage(),
            **self._common,
            **{key: value for key, value in record.__dict__.items() if key not in _OWN and value != ""},
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


class Throttle(logging.Filter):
    """Passes a bounded number of lines a second for each logger, and counts what it left out."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[str, tuple[int, int]] = {}

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        second = int(time.monotonic())
        then, count = self._seen.get(record.name, (second, 0))
        if then != second:
            if count > MAX_LINES_PER_SECOND:
                record.leftOut = count - MAX_LINES_PER_SECOND
            count = 0
        self._seen[record.name] = (second, count + 1)
        return count < MAX_LINES_PER_SECOND


def configure(level: str, **common: str) -> None:
    """Sends all logging to standard error as JSON; `common` goes on every line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines({key: value for key, value in common.items() if value}))
    handler.addFilter(Throttle())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)
