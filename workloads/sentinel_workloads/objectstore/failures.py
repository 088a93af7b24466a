"""How work on a store ends early: for good (Failure), for now (TransientError), or because what it read has moved."""

from __future__ import annotations

from enum import IntEnum


class Failure(Exception):  # noqa: N818 - it is the outcome that the container reports, not a fault of the code
    """Nothing more can be done here: the container exits with `code` and names the `field` that the user looks at."""

    def __init__(self, code: IntEnum, field: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.field = field
        self.message = message


class MissingError(Failure):
    """There is no such object."""


class TransientError(Exception):
    """A fault of the storage or the network that may pass: worth another attempt."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


class CorruptError(TransientError):
    """The bytes that came are not those of the store's own checksum: all of them are to be thrown away."""


class ChangedError(Exception):
    """The source is no longer what was read before: what was brought so far must not be mixed with what follows."""
