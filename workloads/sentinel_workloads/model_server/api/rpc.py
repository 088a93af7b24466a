"""The gRPC port: inference.GRPCInferenceService."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio

from sentinel_operator.api.active import MIRRORED
from sentinel_workloads.model_server import __version__
from sentinel_workloads.model_server.access.certificates import Certificates
from sentinel_workloads.model_server.api.describe import (
    model_config,
    model_metadata,
    repository_index,
    server_metadata,
)
from sentinel_workloads.model_server.api.sample import Answered, Sample
from sentinel_workloads.model_server.api.service import Service
from sentinel_workloads.model_server.inference.work import Work
from sentinel_workloads.model_server.observe.trace import request_id, trace_of
from sentinel_workloads.model_server.oip import oip_pb2 as pb
from sentinel_workloads.model_server.oip.datatypes import DATATYPES
from sentinel_workloads.model_server.oip.proto_codec import decode, encode
from sentinel_workloads.model_server.refusal import Cause, Refusal

LOG = logging.getLogger("sentinel_workloads.model_server.requests")
FAULT = 500
SERVICE = "inference.GRPCInferenceService"
OVERHEAD_BYTES = 64 * 1024
"""Of a message beside its tensors."""
MAX_CONNECTION_SECONDS = 60.0
CONNECTION_SHARE = 0.5
"""How much of the drain a connection may live. Stopping a gRPC server refuses calls that cross its GOAWAY; the GOAWAY
of a connection's age refuses none. So connections are renewed all the time, and by the end of a drain the clients are
elsewhere. It spreads long-lived channels over new replicas too."""
MIRRORED_KEY = MIRRORED.lower()
CREDENTIALS = ("x-api-key", "authorization")
TRITON_NUMBERS = {datatype.triton: number for number, datatype in enumerate(DATATYPES, start=1)}
Context = Any
"""grpc.aio.ServicerContext, which has no types."""


class Rpc:
    """The methods of the service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def handlers(self) -> grpc.GenericRpcHandler:
        """Gives the methods under the names that clients call."""
        methods: dict[str, tuple[Callable[..., Awaitable[Any]], Any]] = {
            "ServerLive": (self._live, pb.ServerLiveRequest),
            "ServerReady": (self._ready, pb.ServerReadyRequest),
            "ModelReady": (self._model_ready, pb.ModelReadyRequest),
            "ServerMetadata": (self._server_metadata, pb.ServerMetadataRequest),
            "ModelMetadata": (self._model_metadata, pb.ModelMetadataRequest),
            "ModelConfig": (self._model_config, pb.ModelConfigRequest),
            "RepositoryIndex": (self._repository_index, pb.RepositoryIndexRequest),
            "ModelInfer": (self._infer, pb.ModelInferRequest),
        }
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                name: grpc.unary_unary_rpc_method_handler(
                    method,
                    request_deserializer=request.FromString,
                    response_serializer=lambda response: response.SerializeToString(),
                )
                for name, (method, request) in methods.items()
            },
        )

    async def _live(self, _request: Any, _context: Context) -> Any:
        return pb.ServerLiveResponse(live=self._service.alive)

    async def _ready(self, _request: Any, _context: Context) -> Any:
        return pb.ServerReadyResponse(ready=self._service.ready)

    async def _model_ready(self, request: Any, context: Context) -> Any:
        await self._check(request.name, request.version, context)
        return pb.ModelReadyResponse(ready=self._service.ready)

    async def _server_metadata(self, _request: Any, _context: Context) -> Any:
        return pb.ServerMetadataResponse(**server_metadata(__version__))

    async def _model_metadata(self, request: Any, context: Context) -> Any:
        await self._check(request.name, request.version, context)
        active = self._service.loaded()
        metadata = model_metadata(active.config, active.model.graph)
        del metadata["parameters"]
        return pb.ModelMetadataResponse(**metadata)

    async def _model_config(self, request: Any, context: Context) -> Any:
        await self._check(request.name, request.version, context)
        active = self._service.loaded()
        config = model_config(active.config, active.model.graph, batches=active.model.batches)
        del config["backend"]
        for tensor in (*config["input"], *config["output"]):
            tensor["data_type"] = TRITON_NUMBERS[tensor["data_type"]]
        return pb.ModelConfigResponse(config=pb.ModelConfig(**config))

    async def _repository_index(self, _request: Any, _context: Context) -> Any:
        return pb.RepositoryIndexResponse(models=repository_index(self._service))

    async def _infer(self, request: Any, context: Context) -> Any:
        began = time.perf_counter()
        metadata = dict(context.invocation_metadata() or ())
        figures = self._service.figures(mirrored=MIRRORED_KEY in metadata)
        figures.in_flight += 1
        code = grpc.StatusCode.OK
        try:
            return await self._inferred(request, context, metadata, began)
        except Refusal as error:
            refusal = error
            code = error.cause.code
        except asyncio.CancelledError:
            code = grpc.StatusCode.CANCELLED
            raise
        except Exception:
            code = grpc.StatusCode.INTERNAL
            LOG.exception("a request failed", extra=_log_fields(context, code))
            refusal = Refusal(Cause.FAILED, "internal error")
        finally:
            figures.in_flight -= 1
            figures.answered("grpc", code.name, time.perf_counter() - began)
        if refusal.cause.status >= FAULT:
            LOG.warning(refusal.message, extra=_log_fields(context, code))
        return await _abort(context, refusal)

    async def _inferred(self, request: Any, context: Context, metadata: dict[str, Any], began: float) -> Any:
        service = self._service
        if not service.gate.open:
            service.gate.admit(
                api_key=str(metadata.get("x-api-key", "")),
                authorization=str(metadata.get("authorization", "")),
                peer=_address(context.peer()),
            )
        service.check_version(request.model_name, request.model_version)
        revision = service.loaded()
        inference = decode(request, revision.signature)
        future: asyncio.Future[None] = service.loop.create_future()

        def done(_work: Work) -> None:
            if not future.done():
                future.set_result(None)

        mirrored = MIRRORED_KEY in metadata
        work = service.submit(
            revision,
            inference.feeds,
            done,
            rows=inference.rows,
            key=inference.key,
            within=context.time_remaining(),
            mirrored=mirrored,
        )
        try:
            await future
        finally:
            revision.batcher.cancel(work)  # Of no effect unless the client went away first.
        if work.error is not None:
            raise work.error
        config = revision.config
        if service.taps and not mirrored:
            sample = Sample(b"/v2/models/%b/infer" % config.name.encode(), b"", message=request)
            credentials = tuple((n.encode(), str(metadata[n]).encode()) for n in CREDENTIALS if n in metadata)
            answered = Answered(sample, work, revision, time.perf_counter() - began, credentials)
            service.loop.call_soon(service.tell, answered)  # After the answer is on its way.
        return encode(inference, work.outputs or [], revision.signature, name=config.name, version=config.version)

    async def _check(self, name: str, version: str, context: Context) -> None:
        try:
            self._service.check_version(name, version)
            self._service.loaded()
        except Refusal as refusal:
            await _abort(context, refusal)


class RpcServer:
    """The port. Stopping it lets calls under way end and sends the clients elsewhere."""

    def __init__(self, service: Service, certificates: Certificates | None) -> None:
        limits = service.config.limits
        age = limits.drain_seconds * CONNECTION_SHARE or MAX_CONNECTION_SECONDS
        self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", limits.max_request_bytes + OVERHEAD_BYTES),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),
                ("grpc.max_connection_age_ms", int(1000 * min(age, MAX_CONNECTION_SECONDS))),
            ]
        )
        self._server.add_generic_rpc_handlers((Rpc(service).handlers(),))
        self._certificates = certificates

    async def open(self, host: str, port: int) -> int:
        """Listens, and gives the port."""
        host = host or "::"
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if self._certificates is not None:
            bound = self._server.add_secure_port(address, self._certificates.grpc_credentials())
        else:
            bound = self._server.add_insecure_port(address)
        await self._server.start()
        return int(bound)

    async def close(self, *, seconds: float) -> None:
        """Stops."""
        await self._server.stop(seconds)


def _log_fields(context: Context, code: grpc.StatusCode) -> dict[str, object]:
    metadata = dict(context.invocation_metadata() or ())
    return {
        "requestId": request_id(str(metadata.get("x-request-id", "")).encode()),
        "traceId": trace_of(str(metadata.get("traceparent", "")).encode())[0],
        "status": code.name,
    }


async def _abort(context: Context, refusal: Refusal) -> None:
    trailing = (("retry-after", str(max(1, math.ceil(refusal.retry_after)))),) if refusal.retry_after else ()
    text = f"{refusal.field}: {refusal.message}" if refusal.field else refusal.message
    await context.abort(refusal.cause.code, text, trailing)


def _address(peer: str) -> str:
    """Gives the address of `ipv4:10.0.0.1:4711`: the port is another for each connection."""
    return peer.partition(":")[2].rpartition(":")[0]
