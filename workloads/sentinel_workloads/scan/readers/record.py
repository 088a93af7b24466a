"""Gathers pieces into records up to a limit; one that is longer is followed to its end, but not held."""

from __future__ import annotations

import hashlib

from sentinel_workloads.scan.readers.stream import Piece


class Record:
    """The bytes of one record."""

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._data: list[bytes] = []
        self._digest: hashlib._Hash | None = None
        self.start = -1
        self.size = 0

    def add(self, piece: Piece, *, newline: bool = False) -> None:
        """Takes a piece; `newline` when the record goes on after the line that ends with it."""
        if self.start < 0:
            self.start = piece.start
        data = piece.data + b"\n" if newline else piece.data
        self.size += len(data)
        if self._digest is not None:
            self._digest.update(data)
            return
        self._data.append(data)
        if self.size > self._limit:
            self._digest = hashlib.sha256(b"".join(self._data))
            self._data.clear()

    @property
    def too_long(self) -> bool:
        """Tells whether it is beyond the limit, and only its digest is known."""
        return self._digest is not None

    @property
    def raw(self) -> bytes:
        """Its bytes; nothing of one that is too long."""
        return self._data[0] if len(self._data) == 1 else b"".join(self._data)

    @property
    def digest(self) -> str:
        """The digest of its bytes."""
        seen = self._digest or hashlib.sha256(self.raw)
        return f"sha256:{seen.hexdigest()}"
