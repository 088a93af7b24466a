"""What keeps a detector from being opened."""

from __future__ import annotations


class DetectorError(Exception):
    """A model or rule cannot be used; names the field that it was given by."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message
