"""Follows the quotes of CSV as Python's csv module does, over pieces of any length and without holding them."""

from __future__ import annotations

import re
from enum import Enum, auto


class _State(Enum):
    BEGIN = auto()
    """Of a field."""
    PLAIN = auto()
    QUOTED = auto()
    QUOTE = auto()
    """One was seen within quotes: the end of the field, or half of an escaped one."""


class Quoting:
    """Whether a line's end is also a record's."""

    def __init__(self, delimiter: bytes) -> None:
        self._delimiter = delimiter[0]
        self._next = re.compile(re.escape(delimiter))
        self._state = _State.BEGIN

    def feed(self, data: bytes) -> None:
        """Follows a piece of a line."""
        if b'"' not in data and self._state in {_State.BEGIN, _State.PLAIN}:
            if data:
                self._state = _State.BEGIN if data[-1] == self._delimiter else _State.PLAIN
            return
        at = 0
        while at < len(data):
            at = self._step(data, at)

    def line_ends_record(self) -> bool:
        """Tells it at the end of a line, and makes ready for the next."""
        if self._state is _State.QUOTED:
            return False
        self._state = _State.BEGIN
        return True

    def _step(self, data: bytes, at: int) -> int:
        match self._state:
            case _State.QUOTED:
                found = data.find(b'"', at)
                if found < 0:
                    return len(data)
                self._state = _State.QUOTE
                return found + 1
            case _State.PLAIN:
                delimiter = self._next.search(data, at)
                if not delimiter:
                    return len(data)
                self._state = _State.BEGIN
                return delimiter.end()
            case _State.BEGIN | _State.QUOTE:
                if data[at] == ord('"'):
                    self._state = _State.QUOTED
                else:
                    self._state = _State.BEGIN if data[at] == self._delimiter else _State.PLAIN
                return at + 1
