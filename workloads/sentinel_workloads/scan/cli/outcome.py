"""How a command ends: an exit code that scripts can rely on, and a sentence where something is wrong."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from enum import IntEnum
from typing import Any, NoReturn

import typer

from sentinel_workloads.objectstore.failures import Failure, TransientError


class Exit(IntEnum):
    """docs/scan-a-dataset.md promises them."""

    OK = 0
    """Clean; proven."""
    NO = 1
    """Something was quarantined; not proven."""
    ERROR = 2
    """The question could not be answered."""
    INTERRUPTED = 130


class Failed(Exception):  # noqa: N818 - it ends a command
    """Ends the command with a message for a person, and never with a traceback."""


def end(work: Coroutine[Any, Any, Exit]) -> NoReturn:
    """Runs the work of a command and ends it with its code."""
    try:
        code = asyncio.run(work)
    except (Failed, TransientError) as error:
        code = _said(str(error))
    except Failure as failure:
        code = _said(failure.message)
    except KeyboardInterrupt:
        code = Exit.INTERRUPTED
    raise typer.Exit(int(code))


def _said(message: str) -> Exit:
    print(f"error: {message}", file=sys.stderr)
    return Exit.ERROR
