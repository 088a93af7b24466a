"""The gRPC side: sentinel.v1.DecisionService."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
from google.protobuf.json_format import MessageToDict, ParseDict

from demo.brain.memory import Memory, Plan
from sentinel_operator.bridge import decisions_pb2 as pb

if TYPE_CHECKING:
    from demo.brain.server import Manner

SERVICE = "sentinel.v1.DecisionService"
Context = Any
"""grpc.aio.ServicerContext, which has no types."""
_STREAMED = 10_000


def as_message(plan: Plan) -> Any:
    """Writes a plan as decisions.proto has it; ParseError for what it has no place for."""
    return ParseDict(dict(plan), pb.ActionPlan())


class Rpc:
    """The methods of the service."""

    def __init__(self, memory: Memory, manner: Manner) -> None:
        self._memory, self._manner = memory, manner

    def handlers(self) -> grpc.GenericRpcHandler:
        """Gives the methods under the names that bridges call."""
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "SubmitTelemetry": grpc.stream_unary_rpc_method_handler(
                    self._submit, pb.TelemetryBatch.FromString, _written
                ),
                "GetActionPlan": grpc.unary_unary_rpc_method_handler(self._get, pb.TelemetryRef.FromString, _written),
                "StreamActionPlans": grpc.unary_stream_rpc_method_handler(
                    self._stream, pb.ActionPlanRequest.FromString, _written
                ),
                "AckPlan": grpc.unary_unary_rpc_method_handler(self._ack, pb.PlanAck.FromString, _written),
            },
        )

    async def _submit(self, batches: AsyncIterator[Any], context: Context) -> Any:
        await self._admit(context)
        taken = 0
        async for batch in batches:
            if self._manner.refusing == "Invalid":
                self._memory.refused += 1
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"points: {batch.batch_id} is not understood")
            if self._manner.refusing == "Answer":
                self._memory.refused += 1
                return pb.Ack(success=False, message=f"{batch.batch_id} is not wanted")
            self._memory.take_batch(_read(batch))
            taken += len(batch.points)
        return pb.Ack(success=True, message=f"{taken} points")

    async def _get(self, _: Any, context: Context) -> Any:
        await self._admit(context)
        plan = self._memory.next_plan()
        if plan is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is no plan")
        return as_message(plan or {})

    async def _stream(self, request: Any, context: Context) -> AsyncIterator[Any]:
        await self._admit(context)
        if not self._manner.streaming:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "plans are not streamed here")
        # Told at once, so that whoever asked knows the stream to be up before there is a plan.
        await context.send_initial_metadata((("cluster", request.cluster_id or "-"),))
        plans: asyncio.Queue[Plan | None] = asyncio.Queue(_STREAMED)
        for each in self._memory.plans.values():
            plans.put_nowait(each)
        self._memory.streams.add(plans)
        try:
            while (plan := await plans.get()) is not None:
                if _wanted(plan, set(request.filters)):
                    yield as_message(plan)
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the stream was cut")
        finally:
            self._memory.streams.discard(plans)

    async def _ack(self, ack: Any, context: Context) -> Any:
        await self._admit(context)
        if self._manner.deaf:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        self._memory.take_ack(_read(ack))
        return pb.Ack(success=True)

    async def _admit(self, context: Context) -> None:
        token = self._manner.token
        said = dict(context.invocation_metadata() or ()).get("authorization", "")
        if token and said != f"Bearer {token}":
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "authorization: not the token")


def _wanted(plan: Plan, verbs: set[str]) -> bool:
    return not verbs or any(each.get("verb") in verbs for each in plan.get("decisions") or ())


def _read(message: Any) -> dict[str, Any]:
    found: dict[str, Any] = MessageToDict(message, preserving_proto_field_name=True)
    return found


def _written(message: Any) -> bytes:
    written: bytes = message.SerializeToString()
    return written
