"""Values of Secrets that a provider asks for: read one by one, sent where they may be, and told to nobody else."""

from __future__ import annotations

import base64
import binascii
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from sentinel_operator.api.analysis import Authorization, Header
from sentinel_operator.api.pod import SecretKeyRef
from sentinel_operator.engine.errors import ApiError, NotFound
from sentinel_operator.engine.measure.fault import CannotMeasure, quoted
from sentinel_operator.engine.resources import SECRETS, Resource

LABEL = "sentinel.dev/analysis"
"""A Secret without it is not read for anybody: who may write a SentryModel may not therefore read Secrets. The
annotation of the same name with `-hosts` names the only hosts (with their ports, if need be) that they go to."""
_NOT_TOLD = "its answer is not told, for it repeats a Secret"
_WINDOW = 6


class SecretReader(Protocol):
    """Reads one key of a Secret, for a request to a host; raises CannotMeasure that names it where it cannot."""

    async def __call__(self, namespace: str, ref: SecretKeyRef, /, *, host: str) -> str: ...


async def no_secrets(namespace: str, ref: SecretKeyRef, /, *, host: str) -> str:  # noqa: ARG001 - as others
    """Reads none: for an operator that has no right to."""
    raise CannotMeasure(f"the operator may not read Secret {namespace}/{ref.name}")


class Getter(Protocol):
    """What is needed of the API client."""

    async def get(self, resource: Resource, namespace: str, name: str, /) -> Mapping[str, Any]:
        """Reads one object."""


@dataclass(frozen=True, slots=True)
class _Kept:
    until: float
    value: str
    hosts: frozenset[str] | None


class ApiSecrets:
    """Reads the Secret that is named, and no list of them. What was read is believed for `lifetime` seconds: so long
    does it take until a Secret that is changed, or may no more be sent, is known to be."""

    def __init__(
        self,
        api: Getter,
        *,
        clock: Callable[[], float],
        label: str = LABEL,
        lifetime: float = 30.0,
        capacity: int = 256,
    ) -> None:
        self._api, self._clock, self._lifetime, self._capacity = api, clock, lifetime, capacity
        self._label, self._hosts = label, f"{label}-hosts"
        self._kept: OrderedDict[tuple[str, str, str], _Kept] = OrderedDict()

    async def __call__(self, namespace: str, ref: SecretKeyRef, /, *, host: str) -> str:
        """Gives the value, if it may be sent there."""
        place = (namespace, ref.name, ref.key)
        kept = self._kept.get(place)
        if kept is None or self._clock() >= kept.until:
            self._kept.pop(place, None)
            kept = self._kept[place] = await self._read(namespace, ref)
            while len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
        if kept.hosts is not None and not kept.hosts & _names(host):
            raise CannotMeasure(f"Secret {namespace}/{ref.name}: its annotation {self._hosts} does not name {host}")
        return kept.value

    async def _read(self, namespace: str, ref: SecretKeyRef) -> _Kept:
        named = f"Secret {namespace}/{ref.name}"
        try:
            found = await self._api.get(SECRETS, namespace, ref.name)
        except NotFound:
            raise CannotMeasure(f"{named} does not exist") from None
        except ApiError as error:
            if error.code == 403:
                raise CannotMeasure(f"the operator may not read {named}: no Role allows it") from None
            raise CannotMeasure(f"{named} cannot be read: {quoted(error.message)}") from None
        metadata = found["metadata"]
        if (metadata.get("labels") or {}).get(self._label) != "true":
            raise CannotMeasure(f'{named} is not meant for this: it does not bear the label {self._label}: "true"')
        hosts = (metadata.get("annotations") or {}).get(self._hosts)
        value = _decoded((found.get("data") or {}).get(ref.key), f"{named}, key {ref.key}")
        allowed = frozenset(hosts.lower().replace(",", " ").split()) if hosts is not None else None
        return _Kept(self._clock() + self._lifetime, value, allowed)


def _decoded(data: str | None, named: str) -> str:
    if data is None:
        raise CannotMeasure(f"{named} does not exist")
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise CannotMeasure(f"{named} is no text") from None


def _names(host: str) -> frozenset[str]:
    return frozenset({host.lower(), (urlsplit(f"//{host}").hostname or "").lower()})


class Discreet:
    """Reads for one measurement, and keeps what was read out of what is said of it."""

    def __init__(self, read: SecretReader) -> None:
        self._read = read
        self._values: list[str] = []

    async def __call__(self, namespace: str, ref: SecretKeyRef, /, *, host: str) -> str:
        """Gives the value."""
        value = await self._read(namespace, ref, host=host)
        self._values.extend(filter(None, (value.strip(),)))
        return value

    def without(self, text: str) -> str:
        """Gives the text, or a word in its place where it holds a piece of a value, as a provider's answer may: a text
        may have been cut in the middle of one."""
        return _NOT_TOLD if any(_holds(text, value) for value in self._values) else text


def _holds(text: str, value: str) -> bool:
    forms = (value, base64.b64encode(value.encode()).decode())
    return any(
        form[start : start + _WINDOW] in text for form in forms for start in range(max(1, len(form) - _WINDOW + 1))
    )


async def authorization(
    given: Authorization | None, *, namespace: str, host: str, read: SecretReader
) -> dict[str, str]:
    """Gives the Authorization header."""
    if given is None:
        return {}
    value = await _read(
        given.secret_ref, field="prometheus.authorization.secretRef", namespace=namespace, host=host, read=read
    )
    if given.scheme == "Basic":
        value = base64.b64encode(value.encode()).decode()
    return {"Authorization": f"{given.scheme} {value}"}


async def headers(given: list[Header] | None, *, namespace: str, host: str, read: SecretReader) -> dict[str, str]:
    """Gives the headers, those from Secrets with their values."""
    out = dict[str, str]()
    for index, header in enumerate(given or ()):
        if header.secret_ref is not None:
            field = f"web.headers[{index}].secretRef"
            out[header.name] = await _read(header.secret_ref, field=field, namespace=namespace, host=host, read=read)
        else:
            out[header.name] = header.value or ""
    return out


async def _read(ref: SecretKeyRef, *, field: str, namespace: str, host: str, read: SecretReader) -> str:
    try:
        value = (await read(namespace, ref, host=host)).strip()
    except CannotMeasure as error:
        raise CannotMeasure(f"{field}: {error}") from None
    if not (value and value.isascii() and value.isprintable()):
        raise CannotMeasure(f"{field}: Secret {ref.name}, key {ref.key}: must be printable ASCII to be a header")
    return value
