"""How a command ends: an exit code that scripts can rely on, and a sentence where it is not 0."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes; docs/cli.md promises them."""

    OK = 0
    NOT_READY = 1
    """Or invalid, or not there: the question was answered, and the answer is no."""
    USAGE = 2
    UNREACHABLE = 3
    """The API server could not be asked."""
    INTERRUPTED = 130


class Failed(Exception):  # noqa: N818 - it ends a command, as the reader of `except Failed` expects
    """Ends the command with a message for a person, and never with a traceback."""

    def __init__(self, message: str, code: Exit) -> None:
        super().__init__(message)
        self.code = code


class Invalid(Failed):
    """Says what is wrong with a declaration, one `spec.field: message` a line and nothing else."""

    def __init__(self, message: str) -> None:
        super().__init__(message, Exit.NOT_READY)
