"""How a brain is known and how the bridge is known to it: read from Secrets, again and again, and told to nobody."""

from __future__ import annotations

import base64
import binascii
import ssl
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from sentinel_operator.api.bridge import Bridge
from sentinel_operator.engine.errors import NotFound, Terminal
from sentinel_operator.engine.resources import SECRETS, Resource

_CERTIFICATE, _KEY = "tls.crt", "tls.key"
_FIELD = "spec.bridge"


class Unusable(Exception):  # noqa: N818 - as it stands in `except` clauses
    """A Secret is not there, may not be read, or does not hold what it should; the message names the field."""


class Getter(Protocol):
    """What is needed of the API client."""

    async def get(self, resource: Resource, namespace: str, name: str, /) -> dict[str, Any]:
        """Reads one object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a connection needs; equal ones make equal connections."""

    plaintext: bool = False
    server_name: str = ""
    authorities: bytes = b""
    """PEM; empty: those that the machine trusts."""
    certificate: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)
    token: str = field(default="", repr=False)

    def context(self) -> ssl.SSLContext | None:
        """Gives the TLS of Python's own kind; None for none. Raises Unusable for what is no certificate or key."""
        if self.plaintext:
            return None
        try:
            context = ssl.create_default_context(cadata=self.authorities.decode() or None)
        except (ssl.SSLError, ValueError) as error:
            raise Unusable(f"{_FIELD}.tls: the authorities are no certificates: {error}") from None
        if self.certificate:
            self._load(context)
        return context

    def _load(self, context: ssl.SSLContext) -> None:
        """Has the library read the pair, which it does from files alone."""
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = Path(folder, _CERTIFICATE), Path(folder, _KEY)
            certificate.write_bytes(self.certificate)
            key.touch(mode=0o600)
            key.write_bytes(self.key)
            try:
                context.load_cert_chain(certificate, key)
            except (ssl.SSLError, ValueError) as error:
                name = f"{_FIELD}.tls.clientCertificateSecretRef"
                raise Unusable(f"{name}: no certificate with its key: {error}") from None


async def read(bridge: Bridge, api: Getter, namespace: str) -> Credentials:
    """Reads what the settings name; raises Unusable, or ApiError where the API server cannot be asked now."""
    tls, secrets = bridge.tls, _Secrets(api, namespace)
    authorities, certificate, key, token = (tls.ca_bundle or "").encode(), b"", b"", ""
    if (ref := tls.ca_secret_ref) is not None:
        authorities = await secrets.value(ref.name, ref.key, f"{_FIELD}.tls.caSecretRef")
    if (pair := tls.client_certificate_secret_ref) is not None:
        where = f"{_FIELD}.tls.clientCertificateSecretRef"
        certificate = await secrets.value(pair.name, _CERTIFICATE, where)
        key = await secrets.value(pair.name, _KEY, where)
    if (ref := bridge.token_secret_ref) is not None:
        token = _header(await secrets.value(ref.name, ref.key, f"{_FIELD}.tokenSecretRef"))
    made = Credentials(
        plaintext=tls.plaintext,
        server_name=tls.server_name or "",
        authorities=authorities,
        certificate=certificate,
        key=key,
        token=token,
    )
    made.context()
    return made


class _Secrets:
    """Reads keys of Secrets by name, each Secret once."""

    def __init__(self, api: Getter, namespace: str) -> None:
        self._api, self._namespace = api, namespace
        self._known: dict[str, dict[str, str]] = {}

    async def value(self, name: str, key: str, field: str) -> bytes:
        named = f"{field}: Secret {self._namespace}/{name}"
        if name not in self._known:
            try:
                found = await self._api.get(SECRETS, self._namespace, name)
            except NotFound:
                raise Unusable(f"{named} does not exist") from None
            except Terminal as error:
                raise Unusable(f"{named} may not be read: no Role of the bridge names it ({error.code})") from None
            self._known[name] = found.get("data") or {}
        data = self._known[name].get(key)
        if data is None:
            raise Unusable(f"{named} has no key {key}")
        try:
            return base64.b64decode(data, validate=True)
        except binascii.Error:
            raise Unusable(f"{named}, key {key}: is not encoded as it should be") from None


def _header(value: bytes) -> str:
    try:
        token = value.decode("ascii").strip()
    except UnicodeDecodeError:
        token = ""
    if not (token and token.isprintable()):
        raise Unusable(f"{_FIELD}.tokenSecretRef: must hold printable ASCII to be sent as a header")
    return token
