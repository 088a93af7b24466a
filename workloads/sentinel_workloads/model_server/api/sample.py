"""A real request that got its answer, as those learn of it who replay or mirror it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from sentinel_workloads.model_server.api.content import decoded
from sentinel_workloads.model_server.inference.work import Work
from sentinel_workloads.model_server.model.encoded import checked_json
from sentinel_workloads.model_server.oip import json_codec, proto_codec
from sentinel_workloads.model_server.oip.datatypes import Array
from sentinel_workloads.model_server.refusal import Refusal
from sentinel_workloads.model_server.revision import Revision

OVERHEAD_BYTES = 512
"""Of a sample beside its body, about."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A request as it came, so that a model with another tokenizer reads it in its own way. Holds no credentials."""

    path: bytes
    body: bytes
    encoding: bytes | None = None
    header_length: bytes | None = None
    message: Any = None
    """A ModelInferRequest in place of a body, where it came by gRPC."""

    @property
    def size(self) -> int:
        """How much memory it takes, about."""
        return OVERHEAD_BYTES + (self.message.ByteSize() if self.message is not None else len(self.body))

    def feeds(self, revision: Revision) -> dict[str, Array]:
        """Gives the tensors that the revision would run; a Refusal when it would not."""
        if self.message is not None:
            return proto_codec.decode(self.message, revision.signature).feeds
        body = decoded(self.body, self.encoding, limit=revision.config.limits.max_request_bytes)
        if self.path.endswith(b"/infer"):
            return json_codec.decode(body, self.header_length, revision.signature).feeds
        encoder = revision.model.encoder
        if encoder is None:
            raise Refusal.not_named(revision.config.name)
        return encoder.encode(checked_json(body, encoder)).feeds


@dataclass(slots=True)
class Answered:
    """A request and what came of it. `work` holds the tensors that the client's answer was made of."""

    sample: Sample
    work: Work
    revision: Revision
    seconds: float
    """From the request's last byte to its answer, in this server."""
    credentials: tuple[tuple[bytes, bytes], ...] = ()
    """Headers by which the client was admitted."""


class Tap(Protocol):
    """Is told of answered requests, after the answer was written."""

    def answered(self, answered: Answered) -> None:
        """Takes note. Must be quick: other requests wait."""
