"""Values of Secrets that a provider asks for."""

from __future__ import annotations

import base64
from typing import Protocol

from sentinel_operator.api.analysis import Authorization, Header
from sentinel_operator.api.pod import SecretKeyRef
from sentinel_operator.engine.measure.fault import CannotMeasure


class SecretReader(Protocol):
    """Reads one key of a Secret; raises CannotMeasure that names it where it cannot."""

    async def __call__(self, namespace: str, ref: SecretKeyRef, /) -> str: ...


async def no_secrets(namespace: str, ref: SecretKeyRef, /) -> str:
    """Reads none: for an operator that has no right to."""
    raise CannotMeasure(f"the operator may not read Secret {namespace}/{ref.name}")


async def authorization(given: Authorization | None, *, namespace: str, read: SecretReader) -> dict[str, str]:
    """Gives the Authorization header."""
    if given is None:
        return {}
    value = _printable(await read(namespace, given.secret_ref), given.secret_ref)
    if given.scheme == "Basic":
        value = base64.b64encode(value.encode()).decode()
    return {"Authorization": f"{given.scheme} {value}"}


async def headers(given: list[Header] | None, *, namespace: str, read: SecretReader) -> dict[str, str]:
    """Gives the headers, those from Secrets with their values."""
    out = dict[str, str]()
    for header in given or ():
        if header.secret_ref is not None:
            out[header.name] = _printable(await read(namespace, header.secret_ref), header.secret_ref)
        else:
            out[header.name] = header.value or ""
    return out


def _printable(value: str, ref: SecretKeyRef) -> str:
    value = value.strip()
    if not (value.isascii() and value.isprintable()):
        raise CannotMeasure(f"Secret {ref.name}, key {ref.key}: must be printable ASCII to be a header")
    return value
