"""One number from somebody's JSON."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from itertools import islice
from urllib.parse import urlsplit

import orjson

from sentinel_operator.api.analysis import Web
from sentinel_operator.api.fields import seconds
from sentinel_operator.core.analysis.jsonpath import PathError, values_at
from sentinel_operator.core.analysis.subject import Subject
from sentinel_operator.engine.measure.fault import CannotMeasure
from sentinel_operator.engine.measure.fetch import Fetch
from sentinel_operator.engine.measure.secrets import SecretReader, headers

_LIMIT = 64 * 1024
_KINDS: Mapping[type, str] = {str: "text", dict: "an object", list: "a list", type(None): "null"}


async def ask(spec: Web, subject: Subject, *, fetch: Fetch, read: SecretReader) -> float:
    """Gives the number at the path."""
    url = subject.filled(spec.url)
    given = await headers(spec.headers, namespace=subject.namespace, host=urlsplit(url).netloc, read=read)
    body = await fetch.get(
        url,
        headers={"Accept": "application/json", **given},
        timeout=seconds(spec.timeout),
        limit=_LIMIT,
    )
    return await asyncio.to_thread(number_at, spec.json_path, body)


def number_at(path: str, body: bytes) -> float:
    """Gives the one number or boolean that the path finds."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise CannotMeasure("its answer is no JSON") from None
    try:
        found = list(islice(values_at(path, document), 2))
    except PathError as error:
        raise CannotMeasure(f"jsonPath {error}") from None
    if len(found) != 1:
        raise CannotMeasure(f"jsonPath {path} finds {'nothing' if not found else 'more than one value'}")
    value = found[0]
    if not isinstance(value, bool | int | float) or not math.isfinite(value):
        # What it is stays untold: an answer of somebody else's is not for everyone who may read a status.
        raise CannotMeasure(f"jsonPath {path} finds {_KINDS.get(type(value), 'something')}, which is no number")
    return float(value)
