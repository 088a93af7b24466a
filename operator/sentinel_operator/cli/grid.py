"""Columns of text for terminals, pipes and golden files alike; what objects say cannot steer the terminal."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

Cell = str | Text
GAP = 3
_DIGEST = re.compile(r"\b(sha(?:256|512):[0-9a-f]{12})[0-9a-f]{52,}\b")
_CONTROL = frozenset({"Cc", "Cf", "Cs"})


def clean(value: object) -> str:
    """Gives text on one line without control characters: messages come from pods, and escape sequences with them."""
    text = " ".join(str(value).split())
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(char) in _CONTROL else char for char in text)


def short(text: str) -> str:
    """Shortens every digest in a text to what tells two of them apart."""
    return _DIGEST.sub(r"\1…", text)


def styled(value: object, style: str) -> Text:
    """Gives cleaned text in a style."""
    return Text(clean(value), style)


def grid(rows: Sequence[Sequence[Cell]], *, indent: int = 0) -> list[Text]:
    """Aligns the cells of all rows; the last cell of a row takes whatever it needs and pads nothing."""
    texts = [[cell if isinstance(cell, Text) else Text(clean(cell)) for cell in row] for row in rows]
    columns = max((len(row) for row in texts), default=0)
    widths = [max((row[i].cell_len for row in texts if i < len(row) - 1), default=0) for i in range(columns)]
    return [_line(row, widths, indent) for row in texts]


def _line(row: Sequence[Text], widths: Sequence[int], indent: int) -> Text:
    line = Text(" " * indent)
    for index, cell in enumerate(row):
        line.append_text(cell)
        if index < len(row) - 1:
            line.append(" " * (widths[index] - cell.cell_len + GAP))
    line.rstrip()
    return line


def console(**changed: Any) -> Console:
    """Gives the console of a command: colours on a terminal only, and never under NO_COLOR."""
    plain: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False, **changed}
    coloured = Console(**plain)
    return coloured if coloured.is_terminal and not coloured.no_color else Console(**plain, color_system=None)


def show(lines: Sequence[Text], to: Console) -> None:
    """Prints lines as they are: the terminal wraps long ones, a pipe gets them whole."""
    for line in lines:
        to.print(line, soft_wrap=True)
