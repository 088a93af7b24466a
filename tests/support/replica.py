"""One replica of the operator in a thread with a loop of its own: to be started, stopped, and killed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from sentinel_operator.app import App, Parts
from sentinel_operator.config import Settings
from sentinel_operator.core.plan import Manifest
from sentinel_operator.engine.cache import Key

_STARTS, _STOPS = 30.0, 40.0


def settings(kubeconfig: Path, namespace: str, **changed: Any) -> Settings:
    """Gives settings for a test: free ports, no webhook, and a lease that a slow machine does not lose."""
    given: dict[str, Any] = {
        "kubeconfig": kubeconfig,
        "namespace": namespace,
        "workers": 4,
        "http_host": "127.0.0.1",
        "http_port": 0,
        "webhook": False,
        "webhook_host": "127.0.0.1",
        "webhook_port": 0,
        "lease_duration": 30.0,
        "lease_deadline": 20.0,
        "lease_retry": 0.3,
        "drain": 5.0,
        **changed,
    }
    return Settings(**given)


SHORT_LEASE = {"lease_duration": 6.0, "lease_deadline": 4.0, "lease_retry": 0.3}
"""For tests in which one has to run out."""


class Replica:
    """Runs an `App` on its own thread: kopf cancels whatever was started on its loop after it."""

    def __init__(self, chosen: Settings, parts: Parts) -> None:
        self._settings, self._parts = chosen, parts
        self._outcome: Future[int] = Future()
        self._running = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[int] | None = None
        self.app: App | None = None

    async def __aenter__(self) -> Self:
        self._thread.start()
        await asyncio.to_thread(self._running.wait, _STARTS)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()

    async def stop(self) -> int:
        """Asks it to stop, as SIGTERM does, and gives its exit status."""
        if self.app is not None:
            self._call(self.app.stop.set)
        return await self.ended()

    async def ended(self) -> int:
        """Waits for it to end by itself."""
        async with asyncio.timeout(_STOPS):
            return await asyncio.wrap_future(self._outcome)

    async def kill(self) -> None:
        """Ends it where it stands: nothing is drained, the lease is not released."""
        if self._main is not None:
            self._call(self._main.cancel)
        await asyncio.to_thread(self._thread.join, _STOPS)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Keeps its loop from doing anything until the block ends: as SIGSTOP does to a process."""
        over = threading.Event()
        self._call(over.wait)
        try:
            yield
        finally:
            over.set()

    @property
    def over(self) -> bool:
        """Tells whether it has ended."""
        return self._outcome.done()

    @property
    def leads(self) -> bool:
        """Tells whether it may write."""
        runtime = self.app.runtime if self.app else None
        return runtime is not None and runtime.elector.elected.is_set()

    def known(self, kind: str) -> dict[Key, Manifest | None]:
        """Gives what it has in its cache."""
        runtime = self.app.runtime if self.app else None
        if runtime is None:
            return {}
        cache = runtime.controllers[kind].view.primary
        return {key: cache.get(key) for key in cache}

    def metric(self, name: str, **labels: str) -> float:
        """Reads one of its metrics; 0 where it has none yet."""
        runtime = self.app.runtime if self.app else None
        value = runtime.metrics.registry.get_sample_value(f"sentinel_controller_{name}", labels) if runtime else None
        return value or 0.0

    async def resync(self, kind: str) -> None:
        """Makes it look at everything of a kind, as it does now and then."""
        runtime = self.app.runtime if self.app else None
        if runtime is not None and self._loop is not None:
            work = runtime.resync.once(runtime.controllers[kind], spread=0.2)
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def _call(self, function: Any) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function)

    def _run(self) -> None:
        async def main() -> int:
            self._loop = asyncio.get_running_loop()
            self._main = asyncio.current_task()
            self.app = App(self._settings, self._parts)
            self._running.set()
            return await self.app.run()

        try:
            self._outcome.set_result(asyncio.run(main()))
        except BaseException as error:  # noqa: BLE001 - the test is told
            self._outcome.set_exception(error if isinstance(error, Exception) else RuntimeError(repr(error)))
        finally:
            self._running.set()
