"""Paths into JSON (RFC 9535) that cannot take long. python-jsonpath is loaded with the first of them (7 MiB)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any


class PathError(ValueError):
    """A path that cannot be used."""


@lru_cache(maxsize=256)
def _compiled(path: str) -> Any:
    import jsonpath  # noqa: PLC0415 - costs memory that only users of it should pay

    if path.count("..") > 1 or path.count("?") > 1:
        raise PathError(f"{path!r}: at most one '..' and one '?' are allowed")
    environment = jsonpath.JSONPathEnvironment(strict=True)
    for name in ("match", "search"):  # regular expressions can take for ever
        environment.function_extensions.pop(name, None)
    try:
        return environment.compile(path)
    except jsonpath.exceptions.JSONPathError as error:
        raise PathError(f"{path!r}: {str(error).splitlines()[0]}") from None


def check_path(path: str) -> None:
    """Raises PathError for a path that cannot be used."""
    _compiled(path)


def values_at(path: str, document: Any) -> Iterator[Any]:
    """Yields what the path finds; raises PathError."""
    from jsonpath.exceptions import JSONPathError  # noqa: PLC0415

    try:
        yield from (match.obj for match in _compiled(path).finditer(document))
    except (JSONPathError, RecursionError) as error:
        raise PathError(f"{path!r}: {str(error).splitlines()[0]}") from None
