"""A brain that serves: gRPC on one port, REST on another, with or without TLS and a token."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import grpc
import grpc.aio
from aiohttp import web

from demo.brain.memory import Memory, Plan
from demo.brain.rest import Rest
from demo.brain.rpc import Rpc

_LARGEST = 16 * 1024 * 1024
_GRACE = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Files in PEM."""

    certificate: Path
    key: Path
    client_ca: Path | None = None
    """With it, only clients with a certificate of this authority are served."""


@dataclass(slots=True)
class Manner:
    """How it behaves; may be changed at any time."""

    token: str = ""
    streaming: bool = True
    refusing: Literal["Answer", "Invalid"] | None = None
    """What becomes of batches: refused in the answer, or as an error of the caller's; None: taken."""
    deaf: bool = False
    """Acknowledgements are answered with an error that passes."""


class Brain:
    """Serves while it is open; what it knows outlasts that, so that it can be opened again at the same ports."""

    def __init__(self, *, token: str = "", tls: Tls | None = None, host: str = "127.0.0.1") -> None:
        self.memory, self.manner = Memory(), Manner(token)
        self.host, self.port, self.rest_port = host, 0, 0
        self._tls = tls
        self._server: grpc.aio.Server | None = None
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self, *, port: int = 0, rest_port: int = 0) -> None:
        """Listens at the ports, or at those of before, or at any."""
        options = [("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", _LARGEST)]
        self._server = grpc.aio.server(options=options)
        self._server.add_generic_rpc_handlers((Rpc(self.memory, self.manner).handlers(),))
        address = f"{self.host}:{port or self.port}"
        if self._tls is not None:
            self.port = self._server.add_secure_port(address, _grpc_credentials(self._tls))
        else:
            self.port = self._server.add_insecure_port(address)
        await self._server.start()
        self._runner = web.AppRunner(
            Rest(self.memory, self.manner).application(), handle_signals=False, access_log=None, shutdown_timeout=_GRACE
        )
        await self._runner.setup()
        context = _context(self._tls) if self._tls is not None else None
        site = web.TCPSite(self._runner, self.host, rest_port or self.rest_port, ssl_context=context)
        await site.start()
        self.rest_port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Stops listening, and ends what is under way."""
        if self._server is not None:
            await self._server.stop(_GRACE)
        if self._runner is not None:
            await self._runner.cleanup()
        self._server = self._runner = None

    def offer(self, plan: Plan) -> None:
        """Proposes a plan, until it is acknowledged."""
        self.memory.offer(plan)

    def cut_streams(self) -> None:
        """Ends every stream of plans with an error; new ones are served."""
        self.memory.cut_streams()


def _grpc_credentials(tls: Tls) -> grpc.ServerCredentials:
    pair = (tls.key.read_bytes(), tls.certificate.read_bytes())
    authority = tls.client_ca.read_bytes() if tls.client_ca is not None else None
    return grpc.ssl_server_credentials([pair], authority, require_client_auth=authority is not None)


def _context(tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tls.certificate, tls.key)
    if tls.client_ca is not None:
        context.load_verify_locations(tls.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
