"""A brain that speaks gRPC: sentinel.v1.DecisionService."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import grpc
import grpc.aio
from google.protobuf.json_format import MessageToDict

from sentinel_operator.bridge import decisions_pb2 as pb
from sentinel_operator.bridge.brain import LARGEST, MOST_AT_ONCE, Refused, Unreachable, Unstreamed
from sentinel_operator.bridge.credentials import Credentials
from sentinel_operator.core.bridge.batches import Batch
from sentinel_operator.core.bridge.outcome import Outcome

SERVICE = "sentinel.v1.DecisionService"
_TO_SUBMIT, _TO_ASK, _TO_OPEN = 30.0, 10.0, 3.0
_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.max_receive_message_length", LARGEST),
    # Servers end connections that ask more often than every five minutes; meanwhile what is sent and not acknowledged
    # by the peer's kernel within the timeout ends the connection too.
    ("grpc.keepalive_time_ms", 330_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.initial_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.enable_retries", 0),
]
_REFUSED = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.ALREADY_EXISTS,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)
_LONGEST = 256
_NO_MESSAGE = "answered what is no message of the protocol"


class RpcBrain:
    """Calls the four methods. A call that fails is told as Refused or Unreachable, and not tried again in here."""

    def __init__(self, endpoint: str, credentials: Credentials, *, cluster_id: str, filters: tuple[str, ...]) -> None:
        self._cluster_id, self._filters = cluster_id, filters
        self._newest = ""
        self._metadata = (("authorization", f"Bearer {credentials.token}"),) if credentials.token else ()
        options = [*_OPTIONS]
        if credentials.server_name:
            options.append(("grpc.ssl_target_name_override", credentials.server_name))
        if credentials.plaintext:
            self._channel = grpc.aio.insecure_channel(endpoint, options=options)
        else:
            trust = grpc.ssl_channel_credentials(
                credentials.authorities or None, credentials.key or None, credentials.certificate or None
            )
            self._channel = grpc.aio.secure_channel(endpoint, trust, options=options)
        self._submit = self._channel.stream_unary(f"/{SERVICE}/SubmitTelemetry", _written, pb.Ack.FromString)
        self._stream = self._channel.unary_stream(f"/{SERVICE}/StreamActionPlans", _written, pb.ActionPlan.FromString)
        self._get = self._channel.unary_unary(f"/{SERVICE}/GetActionPlan", _written, pb.ActionPlan.FromString)
        self._ack = self._channel.unary_unary(f"/{SERVICE}/AckPlan", _written, pb.Ack.FromString)

    @property
    def takes_events(self) -> bool:
        """Tells that there is no message for them."""
        return False

    async def submit(self, batch: Batch) -> None:
        """Sends one batch in one call, so that the answer is about it."""
        message = pb.TelemetryBatch(cluster_id=self._cluster_id, batch_id=batch.batch_id)
        for each in batch.points:
            message.points.add(name=each.name, value=each.value, labels=dict(each.labels), ts=each.ts)
        try:
            answer = await self._submit(iter([message]), metadata=self._metadata, timeout=_TO_SUBMIT)
        except grpc.aio.AioRpcError as error:
            raise _told(error) from None
        _agreed(answer)
        self._newest = batch.batch_id

    async def plans(self, opened: Callable[[], None]) -> AsyncIterator[object]:
        """Yields what the brain streams."""
        request = pb.ActionPlanRequest(cluster_id=self._cluster_id, filters=self._filters)
        call = self._stream(request, metadata=self._metadata)
        try:
            # Some servers send nothing before the first plan: an open connection is what there is to know then.
            await asyncio.wait([asyncio.ensure_future(call.initial_metadata())], timeout=_TO_OPEN)
            if not call.done() and self._channel.get_state() is grpc.ChannelConnectivity.READY:
                opened()
            async for message in call:
                opened()
                yield _read(message) if message is not None else None  # what is no message is no plan
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                raise Unstreamed(error.details() or "not implemented") from None
            raise Unreachable(_words(error)) from None
        finally:
            call.cancel()

    async def ask(self, context: Mapping[str, Any]) -> list[object]:  # noqa: ARG002 - that is for REST
        """Asks again and again until there is no further plan."""
        found: dict[str, object] = {}
        request = pb.TelemetryRef(batch_id=self._newest, cluster_id=self._cluster_id)
        while len(found) < MOST_AT_ONCE:
            try:
                message = await self._get(request, metadata=self._metadata, timeout=_TO_ASK)
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.NOT_FOUND:
                    break
                raise Unreachable(_words(error)) from None
            if message is None:
                raise Unreachable(_NO_MESSAGE)
            if message.plan_id in found or not (message.plan_id or message.decisions):
                break
            found[message.plan_id] = _read(message)
        return list(found.values())

    async def acknowledge(self, outcome: Outcome) -> None:
        """Tells what became of a plan."""
        message = pb.PlanAck(
            plan_id=outcome.plan_id,
            success=outcome.success,
            message=outcome.message,
            executed_at=outcome.executed_at,
            metrics=outcome.metrics,
        )
        try:
            answer = await self._ack(message, metadata=self._metadata, timeout=_TO_ASK)
        except grpc.aio.AioRpcError as error:
            raise _told(error) from None
        _agreed(answer)

    async def close(self) -> None:
        """Ends the connection, and what is under way over it."""
        await self._channel.close(grace=None)


def _read(message: Any) -> dict[str, Any]:
    """Gives a message as JSON: what has no presence is there with its zero, so that a limit of 0 is one."""
    found: dict[str, Any] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return found


def _agreed(answer: Any) -> None:
    if answer is None:
        raise Unreachable(_NO_MESSAGE)
    if not answer.success:
        raise Refused(answer.message[:_LONGEST] or "no reason given")


def _told(error: grpc.aio.AioRpcError) -> Refused | Unreachable:
    return Refused(_words(error)) if error.code() in _REFUSED else Unreachable(_words(error))


def _words(error: grpc.aio.AioRpcError) -> str:
    return f"{error.code().name}: {(error.details() or '')[:_LONGEST]}"


def _written(message: Any) -> bytes:
    written: bytes = message.SerializeToString()
    return written
