"""The one way to refuse a request, mapped to HTTP and to gRPC in one place."""

from __future__ import annotations

from enum import Enum

import grpc


class Cause(Enum):
    """Why a request is refused: HTTP status and gRPC code."""

    INVALID = (400, grpc.StatusCode.INVALID_ARGUMENT)
    UNAUTHENTICATED = (401, grpc.StatusCode.UNAUTHENTICATED)
    NOT_FOUND = (404, grpc.StatusCode.NOT_FOUND)
    METHOD = (405, grpc.StatusCode.UNIMPLEMENTED)
    TOO_LARGE = (413, grpc.StatusCode.RESOURCE_EXHAUSTED)
    MEDIA_TYPE = (415, grpc.StatusCode.INVALID_ARGUMENT)
    RATE_LIMITED = (429, grpc.StatusCode.RESOURCE_EXHAUSTED)
    FAILED = (500, grpc.StatusCode.INTERNAL)
    OVERLOADED = (503, grpc.StatusCode.RESOURCE_EXHAUSTED)
    NOT_READY = (503, grpc.StatusCode.UNAVAILABLE)
    DEADLINE = (504, grpc.StatusCode.DEADLINE_EXCEEDED)

    def __init__(self, status: int, code: grpc.StatusCode) -> None:
        self.status = status
        self.code = code


class Refusal(Exception):  # noqa: N818 - an answer, not a fault of this program
    """A request that gets no prediction. `field` names what in the body was wrong; `retry_after` is in seconds."""

    def __init__(self, cause: Cause, message: str, *, field: str = "", retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.cause = cause
        self.message = message
        self.field = field
        self.retry_after = retry_after

    @classmethod
    def not_named(cls, model: str) -> Refusal:
        """Says that this model takes tensors only."""
        message = f"the schema names no features: use /v2/models/{model}/infer"
        return cls(Cause.NOT_FOUND, message, field="spec.schema.features")


def invalid(message: str, *, field: str = "") -> Refusal:
    """Says what is wrong with the request's content."""
    return Refusal(Cause.INVALID, message, field=field)
