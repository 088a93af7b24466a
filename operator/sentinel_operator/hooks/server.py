"""The HTTPS server of the admission webhook, in the shape kopf asks for.

kopf's own server stops listening for a moment to take in a renewed certificate, accepts no review larger than 1 MiB,
and lets everything pass at a path that has no handler. This one serves from a TLS context that is renewed in place,
takes what the API server may send, and answers an unknown path with 404, which `failurePolicy: Fail` refuses.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from typing import Any

import orjson
from aiohttp import web

_LARGEST_REVIEW = 8 * 2**20  # old and new object, each up to etcd's 1.5 MiB, encoded


class AdmissionServer:
    """Serves reviews at the given paths once the certificate is loaded; `port` is known once `serving` is set."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        paths: Collection[str],
        context: ssl.SSLContext,
        loaded: asyncio.Event,
    ) -> None:
        self.port = port
        self.serving = asyncio.Event()
        self._host, self._paths, self._context, self._loaded = host, paths, context, loaded

    async def __call__(self, review: Callable[..., Any]) -> AsyncIterator[Mapping[str, str]]:
        """Serves until closed. kopf wants to hear a client configuration, and does nothing with it unless told to
        manage one."""
        await self._loaded.wait()
        runner = web.AppRunner(self._application(review), handle_signals=False, access_log=None, shutdown_timeout=5.0)
        await runner.setup()
        try:
            site = web.TCPSite(runner, self._host, self.port, ssl_context=self._context, reuse_address=True)
            await site.start()
            self.port = runner.addresses[0][1]
            self.serving.set()
            yield {"url": f"https://{self._host}:{self.port}"}
            await asyncio.Event().wait()
        finally:
            self.serving.clear()
            await runner.cleanup()

    def _application(self, review: Callable[..., Any]) -> web.Application:
        async def answer(request: web.Request) -> web.Response:
            try:
                body = orjson.loads(await request.read())
                answered = await review(
                    body, webhook=request.path.removeprefix("/"), headers=dict(request.headers), sslpeer=None
                )
            except (orjson.JSONDecodeError, KeyError, TypeError) as error:
                raise web.HTTPBadRequest(reason="this is no AdmissionReview") from error
            return web.Response(body=orjson.dumps(answered), content_type="application/json")

        application = web.Application(client_max_size=_LARGEST_REVIEW)
        application.add_routes([web.post(path, answer) for path in self._paths])
        return application
