"""The HTTPS server of the admission webhook.

It serves from a TLS context that is renewed in place, takes what the API server may send, and answers an unknown path
with 404, which `failurePolicy: Fail` refuses. There is no router and no middleware between the connection and the
answer: two hundred reviews that come at once wait for each other.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from sentinel_operator.hooks.admission import Answer

_LARGEST_REVIEW = 8 * 2**20  # old and new object, each up to etcd's 1.5 MiB, encoded
_STOPS = 5.0


class AdmissionServer:
    """Serves reviews at the given paths once the certificate is loaded; `port` is known once `serving` is set."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        answers: Mapping[str, Answer],
        context: ssl.SSLContext,
        loaded: asyncio.Event,
    ) -> None:
        self.port = port
        self.serving = asyncio.Event()
        self._host, self._answers, self._context, self._loaded = host, answers, context, loaded

    async def run(self) -> None:
        """Serves until cancelled."""
        await self._loaded.wait()
        server = web.Server(self._handle, request_factory=_request, access_log=None)
        runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=_STOPS)
        await runner.setup()
        try:
            site = web.TCPSite(runner, self._host, self.port, ssl_context=self._context, reuse_address=True)
            await site.start()
            self.port = runner.addresses[0][1]
            self.serving.set()
            await asyncio.Event().wait()
        finally:
            self.serving.clear()
            await runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        answer = self._answers.get(request.path)
        if answer is None:
            return web.Response(status=404, text="there is nothing at this path")
        if request.method != "POST":
            return web.Response(status=405, text="reviews are posted", headers={"Allow": "POST"})
        try:
            body = orjson.loads(await request.read())
            response = await answer(body["request"])
        except web.HTTPRequestEntityTooLarge:
            return web.Response(status=413, text="this review is too large")
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return web.Response(status=400, text="this is no AdmissionReview")
        answered = {"apiVersion": body.get("apiVersion"), "kind": body.get("kind"), "response": response}
        return web.Response(body=orjson.dumps(answered), content_type="application/json")


def _request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=_LARGEST_REVIEW)
