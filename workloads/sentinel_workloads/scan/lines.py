"""How values of the contract are written, a line each, and read back."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable
from typing import TypeVar

from sentinel_operator.api.base import Model
from sentinel_operator.api.scanning import Footer, ResultLine

M = TypeVar("M", bound=Model)


class UnreadablePartError(ValueError):
    """A part is not what a shard writes."""


def line_of(value: Model, *, whole: bool = False) -> bytes:
    """One line with its end: sorted keys, UTF-8. What is as the contract's default says is left out, unless `whole`."""
    given = value.model_dump(mode="json", by_alias=True, exclude_defaults=not whole)
    return json.dumps(given, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def value_of(model: type[M], line: bytes) -> M:
    """The value of a line."""
    return model.model_validate_json(line)


def packed(results: Iterable[ResultLine], footer: Footer) -> bytes:
    """A part: the results of a batch and how far they lead. Equal results give equal bytes."""
    lines = b"".join([*map(line_of, results), line_of(footer, whole=True)])
    return gzip.compress(lines, compresslevel=4, mtime=0)


def unpacked(part: bytes, *, name: str) -> tuple[list[ResultLine], Footer]:
    """Results and footer of a part; UnreadablePartError names one that is not whole."""
    try:
        *lines, last = gzip.decompress(part).splitlines()
        footer = value_of(Footer, last)
        results = [value_of(ResultLine, line) for line in lines]
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise UnreadablePartError(f"{name} is not a whole part: {type(error).__name__}") from error
    if len(results) != footer.lines:
        raise UnreadablePartError(f"{name} holds {len(results)} results, not {footer.lines}")
    return results, footer
