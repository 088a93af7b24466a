"""One bounded request: a deadline, a size, no redirect, no compression, no cookie, only addresses that may be asked."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp

from sentinel_operator.engine.measure.fault import CannotMeasure, quoted

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Allowed = Callable[[Address], bool]
_CONNECTIONS = 64
_TO_READ = 1.0


def is_public_or_cluster(address: Address) -> bool:
    """Refuses the node's own: loopback, link-local (a cloud's metadata service) and what is no host at all.
    Who may write a rollout must not be able to ask them through the operator."""
    plain = getattr(address, "ipv4_mapped", None) or address
    return not (plain.is_loopback or plain.is_link_local or plain.is_multicast or plain.is_unspecified)


def anywhere(_: Address) -> bool:
    """Allows every address: those of pods come from the API server."""
    return True


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered to a POST: `head` are the first bytes of the body, of a failure only."""

    status: int
    media: str = ""
    head: bytes = b""
    retry_after: str | None = None


class Fetch:
    """A client. Owns its connections until closed."""

    def __init__(self, *, allowed: Allowed) -> None:
        self._allowed = allowed
        self._session: aiohttp.ClientSession | None = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=_CONNECTIONS, force_close=False, keepalive_timeout=60, socket_factory=self._socket
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                headers={"Accept-Encoding": "identity", "User-Agent": "sentinel-operator"},
            )
        return self._session

    def _socket(self, info: Any) -> socket.socket:
        """Makes the socket once the address is known, whether it was written or resolved."""
        family, kind, protocol, _, target = info
        if not self._allowed(ipaddress.ip_address(target[0].partition("%")[0])):
            raise OSError(errno.EACCES, f"the operator does not ask {target[0]}")
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made

    async def get(
        self,
        url: str,
        *,
        timeout: float,
        limit: int,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        statuses: frozenset[int] = frozenset({200}),
    ) -> bytes:
        """Gives the body; raises CannotMeasure for anything but one of the statuses with a body within the limit."""
        with _faults(timeout):
            async with self._open().get(
                url, headers=headers, params=params, timeout=_whole(timeout), allow_redirects=False
            ) as answer:
                return await _body(answer, limit=limit, statuses=statuses)

    async def post(
        self,
        url: str,
        body: bytes,
        *,
        timeout: float,
        limit: int,
        headers: Mapping[str, str] | None = None,
        trusted: ssl.SSLContext | None = None,
    ) -> Answer:
        """Posts JSON, unless a header says otherwise, and gives whatever was answered; raises CannotMeasure where
        nothing was. `trusted`: what the server's certificate must be under, in place of what the machine trusts."""
        sent = {"Content-Type": "application/json", **(headers or {})}
        with _faults(timeout):
            async with self._open().post(
                url, data=body, headers=sent, timeout=_whole(timeout), allow_redirects=False, ssl=trusted or True
            ) as answer:
                if answer.status < 300:
                    return Answer(answer.status)
                head = await _head(answer, limit=limit)
                return Answer(answer.status, answer.content_type, head, answer.headers.get("Retry-After"))

    async def close(self) -> None:
        """Ends all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


@contextmanager
def _faults(timeout: float) -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise CannotMeasure(f"no answer within {timeout:g} s") from None
    except aiohttp.ClientConnectorError as error:
        raise CannotMeasure(f"no connection: {quoted(error.os_error.strerror or error.os_error)}") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise CannotMeasure(quoted(error) or type(error).__name__) from None


def _whole(timeout: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=timeout)


def status_words(status: int) -> str:
    """Names a status in our words: the server's own may be anything."""
    known = {each.value: each.phrase for each in HTTPStatus}
    return f"{status} {known[status]}" if status in known else str(status)


async def _head(answer: aiohttp.ClientResponse, *, limit: int) -> bytes:
    """Reads the first bytes of a body that may be long, slow or broken: what was not read in time is left out."""
    head = bytearray()
    with suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(_TO_READ):
            while len(head) < limit and (chunk := await answer.content.read(limit - len(head))):
                head += chunk
    return bytes(head)


async def _body(answer: aiohttp.ClientResponse, *, limit: int, statuses: frozenset[int]) -> bytes:
    if 300 <= answer.status < 400:
        raise CannotMeasure(f"answered {answer.status}: redirects are not followed")
    if answer.status not in statuses:
        raise CannotMeasure(f"answered {status_words(answer.status)}")
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise CannotMeasure("answered in a compression that was not asked for")
    if (answer.content_length or 0) > limit:
        raise CannotMeasure(f"answered {answer.content_length} bytes, above {limit}")
    body = bytearray()
    async for chunk in answer.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > limit:
            raise CannotMeasure(f"answered more than {limit} bytes")
    return bytes(body)
