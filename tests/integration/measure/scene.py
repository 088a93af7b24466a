"""A measurer over real sockets, and an analysis that it serves as the controller does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from sentinel_operator.api.analysis import AnalysisSpec, AnalysisStatus
from sentinel_operator.core.analysis.measurement import Measurement
from sentinel_operator.core.analysis.progress import Task, advance, begin, due
from sentinel_operator.core.analysis.subject import Subject, Target
from sentinel_operator.engine.measure.fetch import anywhere
from sentinel_operator.engine.measure.measurer import Measurer

DEADLINE = 30.0
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler, port: int = 0) -> AsyncIterator[str]:
    """Serves every path by one handler; gives the address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class Bench:
    """One subject measured."""

    def __init__(self, *metrics: dict[str, Any], targets: tuple[Target, ...] = (), **measurer: Any) -> None:
        self.news: list[Subject] = []
        self.spec = AnalysisSpec.model_validate({"metrics": list(metrics)})
        self.subject = Subject(
            uid="u1", namespace="team", name="demo", canary="aaaa1111", stable="bbbb2222", targets=targets
        )
        self.measurer = Measurer(changed=self.news.append, **{"allowed": anywhere, **measurer})
        self.state: AnalysisStatus = begin(self.spec, datetime.now(UTC))

    def tasks(self) -> tuple[Task, ...]:
        return due(self.spec, self.state, datetime.now(UTC)).tasks

    async def measured(self) -> dict[str, Measurement]:
        """Asks for what is due and waits until it is there."""
        tasks, heard = self.tasks(), len(self.news)
        assert tasks, "nothing is due"
        assert self.measurer.want(self.subject, tasks)
        names, began = {task.check.name for task in tasks}, time.monotonic()
        while not names <= {*self.found(tasks)} or len(self.news) == heard:
            assert time.monotonic() - began < DEADLINE, "no measurement came"
            await asyncio.sleep(0.005)
        return self.found(tasks)

    def found(self, tasks: tuple[Task, ...]) -> dict[str, Measurement]:
        floor = {task.check.name: task.since or task.started for task in tasks}
        return {
            name: found
            for name, found in self.measurer.measured(self.subject.uid, self.subject.canary).items()
            if name in floor and found.at > floor[name]
        }

    async def step(self) -> AnalysisStatus:
        """One measurement and the pass that takes it in."""
        found = await self.measured()
        self.state = advance(self.spec, self.state, found, datetime.now(UTC))
        return self.state


@asynccontextmanager
async def bench(*metrics: dict[str, Any], **more: Any) -> AsyncIterator[Bench]:
    made = Bench(*metrics, **more)
    try:
        yield made
    finally:
        await made.measurer.close()


async def one(metric: dict[str, Any], **more: Any) -> Measurement:
    """Takes one measurement of one metric."""
    async with bench(metric, **more) as on:
        return next(iter((await on.measured()).values()))
