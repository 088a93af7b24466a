"""Runs in a pod: a brain that proposes what is posted to port 8000, and tells there what it was told itself.

The folder that is its one argument holds tls.crt, tls.key and the token that bridges have to say.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from aiohttp import web

from demo.brain.server import Brain, Tls

GRPC, REST, CONTROL = 50051, 50052, 8000
_GRACE = 0.5


async def serve(folder: Path) -> None:
    """Serves until it is told to end."""
    tls = Tls(certificate=folder / "tls.crt", key=folder / "tls.key")
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    brain = Brain(token=(folder / "token").read_text(), tls=tls, host="0.0.0.0")  # noqa: S104 - in a pod
    await brain.open(port=GRPC, rest_port=REST)
    runner = web.AppRunner(_control(brain), access_log=None, shutdown_timeout=_GRACE)
    await runner.setup()
    await web.TCPSite(runner, port=CONTROL).start()
    await over.wait()
    await runner.cleanup()
    await brain.close()


def _control(brain: Brain) -> web.Application:
    async def offer(request: web.Request) -> web.Response:
        brain.offer(await request.json())
        return web.json_response({})

    async def tell(_: web.Request) -> web.Response:
        memory = brain.memory
        clusters = sorted({str(each.get("cluster_id")) for each in memory.batches})
        told = {"acks": list(memory.acks), "points": memory.names, "clusters": clusters, "open": list(memory.plans)}
        return web.json_response(told)

    app = web.Application()
    app.add_routes([web.post("/plans", offer), web.get("/", tell)])
    return app


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
