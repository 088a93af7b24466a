"""What a sigstore bundle carries, read with the care that foreign input needs."""

from __future__ import annotations

import json

MAX_BUNDLE_BYTES = 64 << 20
MATERIALS = ("publicKey", "x509CertificateChain", "certificate")


class RejectedError(Exception):
    """The bundle is not one that the authority accepts; the message says why."""


def material_of(bundle: bytes) -> str:
    """Which verification material a sigstore bundle carries: publicKey, x509CertificateChain or certificate."""
    if len(bundle) > MAX_BUNDLE_BYTES:
        raise RejectedError(f"the signature is larger than {MAX_BUNDLE_BYTES} bytes")
    try:
        material = json.loads(bundle)["verificationMaterial"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RejectedError("the signature is not a sigstore bundle") from error
    for kind in MATERIALS:
        if isinstance(material, dict) and kind in material:
            return kind
    raise RejectedError("the signature carries neither a key nor a certificate")
