"""Logs as JSON lines that say which object a line is about; never a payload."""

from __future__ import annotations

import logging
import secrets
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

import orjson
from typing_extensions import override

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_NOTHING: Mapping[str, str] = {}
_about: ContextVar[Mapping[str, str]] = ContextVar("about", default=_NOTHING)


@contextmanager
def pass_context(*, kind: str, namespace: str, name: str) -> Iterator[None]:
    """Marks every line logged inside with the object and a fresh W3C trace id."""
    token = _about.set({"kind": kind, "object": f"{namespace}/{name}".lstrip("/"), "trace_id": secrets.token_hex(16)})
    try:
        yield
    finally:
        _about.reset(token)


class JsonFormatter(logging.Formatter):
    """One line of JSON a record: time, level, logger, message, the object of the pass, and the record's extras."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_about.get(),
            **{key: value for key, value in vars(record).items() if key not in _STANDARD and key[:1] != "_"},
        }
        if record.exc_info:
            line["exception"] = "".join(traceback.format_exception(*record.exc_info))
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def configure(level: str) -> None:
    """Sends everything to standard error as JSON. kopf's own chatter about each event is left out."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("kopf").setLevel(max(logging.getLogger().level, logging.WARNING))
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
