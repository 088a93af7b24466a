"""Watches one ConfigMap at the API server: what it is, and each change, for as long as it takes."""

from __future__ import annotations

import json
import logging
import os
import random
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from sentinel_operator.api.active import SERVICE_ACCOUNT_DIR

log = logging.getLogger(__name__)
_RANDOM = random.SystemRandom()
WATCH_SECONDS = 240.0
"""After this long the server ends a watch and all is read again: what was missed is missed no longer."""
ANSWER_SECONDS = 15.0
GRACE_SECONDS = 15.0
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
MAX_LINE = 4 * 1024**2
"""An event holds a whole ConfigMap, at most 1 MiB, escaped."""
GONE = 410
Object = dict[str, Any]


class WatchError(Exception):
    """The API server did not answer as it should; another attempt may do."""


@dataclass(frozen=True, slots=True)
class Target:
    """Which ConfigMap, where, and as whom."""

    server: str
    namespace: str
    name: str
    account: Path

    @classmethod
    def in_cluster(cls, name: str, *, namespace: str = "", account: Path = Path(SERVICE_ACCOUNT_DIR)) -> Target:
        """The pod's own API server and namespace."""
        host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
        if not host:
            raise WatchError("KUBERNETES_SERVICE_HOST is not set: this is no pod")
        host = f"[{host}]" if ":" in host else host
        if not namespace:
            try:
                namespace = (account / "namespace").read_text().strip()
            except OSError as error:
                raise WatchError(f"{account / 'namespace'} cannot be read: {error.strerror}") from error
        return cls(f"https://{host}:{port}", namespace, name, account)

    @property
    def selector(self) -> str:
        """Of the one object; without it a Role for one name would not do."""
        return f"metadata.name={self.name}"

    @property
    def path(self) -> str:
        """Of the collection."""
        return f"{self.server}/api/v1/namespaces/{self.namespace}/configmaps"


async def states(target: Target) -> AsyncGenerator[Object | None, None]:
    """Gives the ConfigMap as it is now and after each change, None where there is none. Raises WatchError and ends when
    the connection does; whoever wants more calls again."""
    try:
        async with _session(target) as session:
            found, version = await _read(session, target)
            yield found
            async for event in _events(session, target, version):
                yield event["object"] if event["type"] != "DELETED" else None
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError, KeyError) as error:
        kind = "no answer in time" if isinstance(error, TimeoutError) else f"{type(error).__name__}: {error}"
        raise WatchError(f"{target.server}: {kind}") from error


def wait_after(failures: int) -> float:
    """Seconds before the next attempt: a random part of a doubling time with a cap, so that pods spread out."""
    return _RANDOM.uniform(FIRST_WAIT / 2, min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(failures, 16)))


def _session(target: Target) -> aiohttp.ClientSession:
    """The token is read anew each time: the kubelet renews it."""
    trust = ssl.create_default_context(cafile=str(target.account / "ca.crt"))
    token = (target.account / "token").read_text().strip()
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=trust, limit=2, socket_factory=_kept_alive),
        headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
        read_bufsize=MAX_LINE,
    )


def _kept_alive(address: tuple[Any, ...]) -> socket.socket:
    """A dead peer is noticed within half a minute, though a watch may be silent for long."""
    family, kind, protocol = address[0], address[1], address[2]
    made = socket.socket(family=family, type=kind, proto=protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_KEEPIDLE, 15), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3)):
        made.setsockopt(socket.IPPROTO_TCP, option, value)
    return made


async def _read(session: aiohttp.ClientSession, target: Target) -> tuple[Object | None, str]:
    """Gives the ConfigMap and the version of the collection. Its own version may be too old to watch from: what nobody
    changes for minutes is forgotten by the API server, and a restart of that forgets all."""
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    async with session.get(target.path, params={"fieldSelector": target.selector}, timeout=timeout) as answer:
        body = await answer.text()
        _check(answer.status, body)
        listed: Object = json.loads(body)
        return next(iter(listed["items"]), None), str(listed["metadata"]["resourceVersion"])


async def _events(session: aiohttp.ClientSession, target: Target, version: str) -> AsyncIterator[Object]:
    seconds = int(_RANDOM.uniform(0.8, 1.2) * WATCH_SECONDS)
    query = {"watch": "true", "fieldSelector": target.selector, "timeoutSeconds": str(seconds)}
    query["resourceVersion"] = version
    timeout = aiohttp.ClientTimeout(total=seconds + GRACE_SECONDS, sock_connect=ANSWER_SECONDS)
    async with session.get(target.path, params=query, timeout=timeout) as answer:
        if answer.status != 200:
            _check(answer.status, await answer.text())
        while line := await answer.content.readline():
            event: Object = json.loads(line)
            if event["type"] == "ERROR":
                if event["object"].get("code") == GONE:
                    return
                raise WatchError(f"{target.server}: {event['object'].get('message', 'the watch ended in an error')}")
            if event["type"] in ("ADDED", "MODIFIED", "DELETED"):
                yield event


def _check(status: int, body: str) -> None:
    if status == 200:
        return
    try:
        said = json.loads(body).get("message", "")
    except (ValueError, AttributeError):
        said = body
    raise WatchError(f"the API server answered {status}: {str(said)[:300]}")
