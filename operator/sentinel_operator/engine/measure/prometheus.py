"""One number from the Prometheus HTTP API. No data is told as NaN; anything that is no such answer is a fault."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

from sentinel_operator.api.analysis import Prometheus
from sentinel_operator.api.fields import seconds
from sentinel_operator.core.analysis.subject import Subject
from sentinel_operator.engine.measure.fault import CannotMeasure, quoted
from sentinel_operator.engine.measure.fetch import Fetch
from sentinel_operator.engine.measure.secrets import SecretReader, authorization

_LIMIT = 1024 * 1024
_STATUSES = frozenset({200, 400, 422, 503})  # each with the reason in the same JSON


async def ask(spec: Prometheus, subject: Subject, *, fetch: Fetch, read: SecretReader) -> tuple[float, float]:
    """Gives the values of query and baselineQuery; NaN for what has no data or is not asked."""
    host = urlsplit(spec.address).netloc
    headers = await authorization(spec.authorization, namespace=subject.namespace, host=host, read=read)

    async def query(text: str) -> float:
        timeout = seconds(spec.timeout)
        return await instant(spec.address, subject.filled(text), timeout=timeout, headers=headers, fetch=fetch)

    value = await query(spec.query)
    return value, math.nan if spec.baseline_query is None else await query(spec.baseline_query)


async def instant(address: str, query: str, *, timeout: float, headers: Mapping[str, str], fetch: Fetch) -> float:
    """Gives the value of one query now; NaN for what has no data."""
    body = await fetch.get(
        f"{address.rstrip('/')}/api/v1/query",
        params={"query": query, "timeout": f"{round(1000 * timeout)}ms"},
        headers=headers,
        timeout=timeout,
        limit=_LIMIT,
        statuses=_STATUSES,
    )
    return only_number(body)


def only_number(body: bytes) -> float:
    """Gives the one number that an instant query's answer holds: NaN for an empty vector."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise CannotMeasure("not the answer of a Prometheus: it is no JSON") from None
    if not isinstance(answer, dict) or answer.get("status") not in {"success", "error"}:
        raise CannotMeasure("not the answer of a Prometheus: it has no status")
    if answer["status"] == "error":
        raise CannotMeasure(f"{quoted(answer.get('errorType'), 40)}: {quoted(answer.get('error'))}")
    return _sample(answer.get("data"))


def _sample(data: Any) -> float:
    kind, result = (data.get("resultType"), data.get("result")) if isinstance(data, dict) else (None, None)
    if kind == "vector" and isinstance(result, list):
        if not result:
            return math.nan
        if len(result) > 1:
            raise CannotMeasure(f"the query gives {len(result)} series: it must give exactly one number")
        result = result[0].get("value") if isinstance(result[0], dict) else None
    elif kind != "scalar":
        raise CannotMeasure(f"the query gives a {quoted(kind, 20)}: it must give exactly one number")
    if not isinstance(result, list) or len(result) != 2 or not isinstance(result[1], str):
        raise CannotMeasure("not the answer of a Prometheus: a sample is no pair of time and text")
    try:
        return float(result[1])
    except ValueError:
        raise CannotMeasure("the query gives a text that is no number") from None
