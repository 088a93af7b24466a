"""One CloudEvent, posted once: taken, refused for good, or to be sent again. Never raises, never tells a Secret."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import orjson

from sentinel_operator.api.cloudevents import CloudEvents
from sentinel_operator.api.pod import SecretKeyRef
from sentinel_operator.core.actionplan.cloudevent import MEDIA
from sentinel_operator.engine.errors import seconds_to_wait
from sentinel_operator.engine.measure.fault import CannotMeasure, quoted
from sentinel_operator.engine.measure.fetch import Address, Answer, Fetch, status_words
from sentinel_operator.engine.measure.secrets import Discreet, SecretReader

LABEL = "sentinel.dev/cloudevents"
"""A Secret without it is not read: who may write the SentinelConfig may not therefore have the operator's Secrets sent
to them."""
_TIMEOUT = 10.0
_HEAD = 1024
_REFUSES_THE_SENDER = frozenset({401, 403, 404, 407})
"""Answers that say nothing of the event: a new token or another address makes it welcome."""
_LATER = frozenset({408, 425, 429})

Outcome = Literal["Delivered", "Refused", "Failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of it. `Failed` is to be sent again, and not before `at_least` seconds have passed."""

    outcome: Outcome
    message: str = ""
    at_least: float = 0.0


def no_metadata_service(address: Address) -> bool:
    """Refuses link-local addresses (a cloud's metadata service) and what is no host. The node's own loopback may be a
    sink: only who runs the cluster writes a SentinelConfig."""
    plain = getattr(address, "ipv4_mapped", None) or address
    return not (plain.is_link_local or plain.is_multicast or plain.is_unspecified)


class EventSink:
    """A client. Owns its connections until closed. Secrets are those of `namespace`."""

    def __init__(self, read_secret: SecretReader, *, namespace: Callable[[], str]) -> None:
        self._read, self._namespace = read_secret, namespace
        self._fetch = Fetch(allowed=no_metadata_service)
        self._trusted: tuple[str, ssl.SSLContext] | None = None

    async def send(self, spec: CloudEvents, event: Mapping[str, Any]) -> Sent:
        """Posts an event."""
        secrets = Discreet(self._read)
        try:
            answer = await self._posted(spec, event, secrets)
        except CannotMeasure as error:
            return Sent(outcome="Failed", message=secrets.without(str(error)))
        said = secrets.without(_told(answer))
        if answer.status < 300:
            return Sent(outcome="Delivered", message=said)
        if 400 <= answer.status < 500 and answer.status not in _LATER | _REFUSES_THE_SENDER:
            return Sent(outcome="Refused", message=said)
        return Sent(outcome="Failed", message=said, at_least=seconds_to_wait(answer.retry_after) or 0.0)

    async def close(self) -> None:
        """Ends all connections."""
        await self._fetch.close()

    async def _posted(self, spec: CloudEvents, event: Mapping[str, Any], secrets: Discreet) -> Answer:
        host = urlsplit(spec.endpoint).netloc
        headers = {"Content-Type": MEDIA}
        if spec.token_secret_ref is not None:
            token = await self._value(spec.token_secret_ref, "tokenSecretRef", host=host, read=secrets)
            if not (token and token.isascii() and token.isprintable()):
                raise CannotMeasure("spec.cloudEvents.tokenSecretRef: must be printable ASCII to be a header")
            headers["Authorization"] = f"Bearer {token}"
        trusted = await self._trust(spec, host)
        body = orjson.dumps(event)
        return await self._fetch.post(
            spec.endpoint, body, timeout=_TIMEOUT, limit=_HEAD, headers=headers, trusted=trusted
        )

    async def _trust(self, spec: CloudEvents, host: str) -> ssl.SSLContext | None:
        pem, field = spec.ca_bundle or "", "caBundle"
        if spec.ca_secret_ref is not None:
            pem, field = await self._value(spec.ca_secret_ref, "caSecretRef", host=host, read=self._read), "caSecretRef"
        if not pem:
            return None
        if self._trusted is None or self._trusted[0] != pem:
            try:
                self._trusted = pem, await asyncio.to_thread(ssl.create_default_context, cadata=pem)
            except (ssl.SSLError, ValueError):
                raise CannotMeasure(f"spec.cloudEvents.{field}: holds no certificate that can be read") from None
        return self._trusted[1]

    async def _value(self, ref: SecretKeyRef, field: str, *, host: str, read: SecretReader) -> str:
        try:
            return (await read(self._namespace(), ref, host=host)).strip()
        except CannotMeasure as error:
            raise CannotMeasure(f"spec.cloudEvents.{field}: {error}") from None


def _told(answer: Answer) -> str:
    head = quoted("".join(each if each.isprintable() else " " for each in answer.head.decode(errors="replace")))
    return f"answered {status_words(answer.status)}" + (f": {head}" if head else "")
