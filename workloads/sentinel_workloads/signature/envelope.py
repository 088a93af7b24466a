"""DSSE envelopes in sigstore bundles v0.3: what is signed, and how a bundle with a key's signature looks.

https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from sentinel_workloads.signature.bundle import RejectedError

PAYLOAD_TYPE = "application/vnd.in-toto+json"
BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload and the one signature over it."""

    payload: bytes
    signature: bytes

    @property
    def signed(self) -> bytes:
        """The bytes that the signature covers."""
        return pae(self.payload)


def pae(payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding of an in-toto statement: its type is signed as well."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)


def key_bundle(envelope: Envelope, *, hint: str) -> bytes:
    """A sigstore bundle with a key's signature; the hint says which key, it proves nothing."""
    bundle = {
        "mediaType": BUNDLE_TYPE,
        "verificationMaterial": {"publicKey": {"hint": hint}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(envelope.payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": base64.b64encode(envelope.signature).decode(), "keyid": ""}],
        },
    }
    return json.dumps(bundle).encode()


def envelope_of(bundle: bytes) -> tuple[Envelope, str]:
    """The envelope of a bundle with a key's signature, and the key's hint; RejectedError for anything else."""
    try:
        parsed: dict[str, Any] = json.loads(bundle)
        if parsed["mediaType"] != BUNDLE_TYPE:
            raise RejectedError(f"the bundle is of type {parsed['mediaType']!r}; {BUNDLE_TYPE} is understood")
        dsse = parsed["dsseEnvelope"]
        if dsse["payloadType"] != PAYLOAD_TYPE:
            raise RejectedError(f"a payload of type {dsse['payloadType']!r} is signed, not an in-toto statement")
        (signature,) = dsse["signatures"]
        payload, raw = (base64.b64decode(part, validate=True) for part in (dsse["payload"], signature["sig"]))
        hint = str(parsed["verificationMaterial"]["publicKey"].get("hint") or "")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error) as error:
        raise RejectedError("the bundle holds no in-toto statement with exactly one signature") from error
    return Envelope(payload, raw), hint
