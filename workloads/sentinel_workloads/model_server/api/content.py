"""Request bodies as they were before the client compressed them."""

from __future__ import annotations

import zlib

from sentinel_workloads.model_server.refusal import Cause, Refusal, invalid

WINDOWS = {b"gzip": 16 + zlib.MAX_WBITS, b"x-gzip": 16 + zlib.MAX_WBITS, b"deflate": zlib.MAX_WBITS}


def decoded(body: bytes, encoding: bytes | None, *, limit: int) -> bytes:
    """Gives the body; one that would grow beyond the limit is refused before it does."""
    if not encoding or encoding.lower() == b"identity":
        return body
    window = WINDOWS.get(encoding.lower())
    if window is None:
        raise Refusal(Cause.MEDIA_TYPE, "the content encoding must be gzip or deflate", field="Content-Encoding")
    inflater = zlib.decompressobj(window)
    try:
        plain = inflater.decompress(body, limit + 1)
    except zlib.error as error:
        raise invalid(f"the body cannot be decompressed: {error}", field="Content-Encoding") from None
    if len(plain) > limit:
        raise Refusal(Cause.TOO_LARGE, f"the body is larger than {limit} bytes")
    if not inflater.eof:
        raise invalid("the compressed body is cut short", field="Content-Encoding")
    return plain
