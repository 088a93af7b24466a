"""Asks Prometheus what a brain is to be told: each series of the answer is a point."""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import urlsplit

import orjson

from sentinel_operator.api.bridge import BridgeMetric
from sentinel_operator.api.fields import seconds
from sentinel_operator.core.bridge.points import Point
from sentinel_operator.core.conditions import truncated
from sentinel_operator.engine.measure.fault import CannotMeasure, quoted
from sentinel_operator.engine.measure.fetch import Fetch
from sentinel_operator.engine.measure.secrets import Discreet, SecretReader, authorization

_LIMIT = 4 << 20
_MOST_SERIES = 1000
_MOST_LABELS, _LONGEST_LABEL = 16, 128
_STATUSES = frozenset({200, 400, 422, 503})  # each with the reason in the same JSON


class Queries:
    """Asks; owns its connections until closed."""

    def __init__(self, fetch: Fetch, *, namespace: str, read: SecretReader) -> None:
        self._fetch, self._namespace, self._read = fetch, namespace, read

    async def ask(self, metric: BridgeMetric) -> list[Point]:
        """Gives a point for each series; raises CannotMeasure, which repeats no Secret."""
        spec, read = metric.prometheus, Discreet(self._read)
        try:
            host = urlsplit(spec.address).netloc
            headers = await authorization(spec.authorization, namespace=self._namespace, host=host, read=read)
            body = await self._fetch.get(
                f"{spec.address.rstrip('/')}/api/v1/query",
                params={"query": spec.query, "timeout": spec.timeout},
                headers=headers,
                timeout=seconds(spec.timeout),
                limit=_LIMIT,
                statuses=_STATUSES,
            )
            return points_of(metric.name, body)
        except CannotMeasure as error:
            raise CannotMeasure(read.without(str(error))) from None

    async def close(self) -> None:
        """Ends all connections."""
        await self._fetch.close()


def points_of(name: str, body: bytes) -> list[Point]:
    """Gives the points of an instant query's answer; what is no number (NaN, infinity) is left out."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise CannotMeasure("not the answer of a Prometheus: it is no JSON") from None
    if not isinstance(answer, dict) or answer.get("status") not in {"success", "error"}:
        raise CannotMeasure("not the answer of a Prometheus: it has no status")
    if answer["status"] == "error":
        raise CannotMeasure(f"{quoted(answer.get('errorType'), 40)}: {quoted(answer.get('error'))}")
    data = answer.get("data")
    kind, result = (data.get("resultType"), data.get("result")) if isinstance(data, dict) else (None, None)
    if kind == "scalar":
        result = [{"metric": {}, "value": result}]
    elif kind != "vector":
        raise CannotMeasure(f"the query gives a {quoted(kind, 20)}: it must give numbers of one moment")
    if not isinstance(result, list) or len(result) > _MOST_SERIES:
        count = len(result) if isinstance(result, list) else "no"
        raise CannotMeasure(f"the query gives {count} series: it must give at most {_MOST_SERIES}")
    points = [_point(name, each) for each in result]
    return [each for each in points if math.isfinite(each.value)]


def _point(name: str, series: Any) -> Point:
    try:
        moment, text = series["value"]
        labels = {str(key): truncated(str(value), _LONGEST_LABEL) for key, value in series["metric"].items()}
        value, ts = float(text), int(float(moment) * 1000)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError):
        raise CannotMeasure("not the answer of a Prometheus: a sample is no pair of time and text") from None
    labels.pop("__name__", None)
    return Point(name=name, value=value, labels=dict(sorted(labels.items())[:_MOST_LABELS]), ts=ts)
