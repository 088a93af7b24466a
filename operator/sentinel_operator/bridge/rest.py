"""A brain that speaks REST: POST /api/telemetry, /api/optimize and /api/feedback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import aiohttp
import orjson

from sentinel_operator.bridge.brain import LARGEST, MOST_AT_ONCE, Refused, Unreachable, Unstreamed
from sentinel_operator.bridge.credentials import Credentials
from sentinel_operator.core.bridge.batches import Batch, Item
from sentinel_operator.core.bridge.outcome import Outcome
from sentinel_operator.core.bridge.points import Point
from sentinel_operator.engine.errors import seconds_to_wait
from sentinel_operator.engine.measure.fetch import status_words

_REFUSED = frozenset({400, 404, 405, 409, 410, 413, 415, 422})
_SECONDS = 30.0
_CONNECTIONS = 8
_LONGEST = 256


class RestBrain:
    """Posts to the three paths. What fails is told as Refused or Unreachable, and not tried again in here."""

    def __init__(self, endpoint: str, credentials: Credentials, *, cluster_id: str) -> None:
        self._base, self._cluster_id = endpoint.rstrip("/"), cluster_id
        self._server_name = credentials.server_name or None
        context = credentials.context()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS, ssl=context if context is not None else True),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={
                "User-Agent": "sentinel-bridge",
                "Content-Type": "application/json",
                **({"Authorization": f"Bearer {credentials.token}"} if credentials.token else {}),
            },
            timeout=aiohttp.ClientTimeout(total=_SECONDS),
        )

    @property
    def takes_events(self) -> bool:
        """Tells that transitions of plans go along with the points."""
        return True

    async def submit(self, batch: Batch) -> None:
        """Posts one batch."""
        body = {
            "cluster_id": self._cluster_id,
            "batch_id": batch.batch_id,
            "batch": [_item(each) for each in batch.items],
        }
        _agreed(await self._post("/api/telemetry", body))

    async def plans(self, opened: Callable[[], None]) -> AsyncIterator[object]:  # noqa: ARG002 - nothing opens
        """Yields nothing: plans have to be asked for."""
        raise Unstreamed("plans are not streamed by REST")
        yield

    async def ask(self, context: Mapping[str, Any]) -> list[object]:
        """Asks what should be done."""
        try:
            answer = await self._post("/api/optimize", {"cluster_id": self._cluster_id, "context": dict(context)})
        except Refused as error:
            raise Unreachable(str(error)) from None
        plans = answer.get("plans")
        if isinstance(plans, list):
            return plans[:MOST_AT_ONCE]
        return [answer] if answer.get("decisions") else []

    async def acknowledge(self, outcome: Outcome) -> None:
        """Tells what became of a plan."""
        _agreed(await self._post("/api/feedback", asdict(outcome)))

    async def close(self) -> None:
        """Ends all connections."""
        await self._session.close()

    async def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        try:
            async with self._session.post(
                self._base + path,
                data=orjson.dumps(body),
                allow_redirects=False,
                server_hostname=self._server_name,
            ) as answer:
                content = await _bounded(answer)
                _check(path, answer, content)
                return _decoded(path, content)
        except TimeoutError:
            raise Unreachable(f"{path}: no answer within {_SECONDS:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(f"{path}: {type(error).__name__}: {str(error)[:_LONGEST]}") from None


def _check(path: str, answer: aiohttp.ClientResponse, content: bytes) -> None:
    if 200 <= answer.status < 300:
        return
    words = f"{path}: answered {status_words(answer.status)}: {content[:_LONGEST].decode(errors='replace').strip()}"
    if answer.status in _REFUSED:
        raise Refused(words)
    raise Unreachable(words, after=seconds_to_wait(answer.headers.get("Retry-After")))


async def _bounded(answer: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for chunk in answer.content.iter_chunked(64 * 1024):
        content += chunk
        if len(content) > LARGEST:
            raise Unreachable(f"answered more than {LARGEST} bytes")
    return bytes(content)


def _decoded(path: str, content: bytes) -> dict[str, Any]:
    """Reads an answer; an empty one is a success that says nothing."""
    try:
        decoded = orjson.loads(content) if content.strip() else {}
    except orjson.JSONDecodeError:
        raise Unreachable(f"{path}: answered what is no JSON") from None
    if not isinstance(decoded, dict):
        raise Unreachable(f"{path}: answered JSON that is no object")
    return decoded


def _agreed(answer: Mapping[str, Any]) -> None:
    if answer.get("success") is False:
        raise Refused(str(answer.get("message") or "no reason given")[:_LONGEST])


def _item(item: Item) -> dict[str, Any]:
    timestamp = datetime.fromtimestamp(item.ts / 1000, UTC).isoformat(timespec="milliseconds")
    if isinstance(item, Point):
        return {
            "timestamp": timestamp,
            "type": "metric",
            "metric_name": item.name,
            "value": item.value,
            "labels": dict(item.labels),
        }
    return {"timestamp": timestamp, "type": "event", "event_type": item.type, "data": dict(item.data)}
