"""The REST side: telemetry and events to /api/telemetry, plans from /api/optimize, outcomes to /api/feedback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from demo.brain.memory import Memory

if TYPE_CHECKING:
    from demo.brain.server import Manner

_LARGEST = 16 * 1024 * 1024
_AT_ONCE = 100


class Rest:
    """The three paths."""

    def __init__(self, memory: Memory, manner: Manner) -> None:
        self._memory, self._manner = memory, manner

    def application(self) -> web.Application:
        """Gives the paths, behind the token."""
        app = web.Application(client_max_size=_LARGEST, middlewares=[self._admit])
        app.add_routes(
            [
                web.post("/api/telemetry", self._telemetry),
                web.post("/api/optimize", self._optimize),
                web.post("/api/feedback", self._feedback),
            ]
        )
        return app

    @web.middleware
    async def _admit(self, request: web.Request, handler: Any) -> web.StreamResponse:
        token = self._manner.token
        if token and request.headers.get("Authorization") != f"Bearer {token}":
            return web.json_response({"success": False, "message": "Authorization: not the token"}, status=401)
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _telemetry(self, request: web.Request) -> web.Response:
        body = await request.json()
        if self._manner.refusing is not None:
            self._memory.refused += 1
            status = 400 if self._manner.refusing == "Invalid" else 200
            return web.json_response({"success": False, "message": "batch: not wanted"}, status=status)
        metrics = [each for each in body["batch"] if each.get("type") == "metric"]
        self._memory.events.extend(each for each in body["batch"] if each.get("type") == "event")
        if metrics:
            points = [{"name": each["metric_name"], **each} for each in metrics]
            self._memory.take_batch({**body, "points": points})
        return web.json_response({"success": True, "message": f"{len(body['batch'])} points"})

    async def _optimize(self, request: web.Request) -> web.Response:
        self._memory.contexts.append(await request.json())
        plans = list(self._memory.plans.values())[:_AT_ONCE]
        return web.json_response({"plans": plans, "confidence": 1.0})

    async def _feedback(self, request: web.Request) -> web.Response:
        if self._manner.deaf:
            return web.json_response({"success": False, "message": "not now"}, status=503)
        self._memory.take_ack(await request.json())
        return web.json_response({"success": True})
