"""Makes a revision's model ready to answer: loaded, checked, warmed and timed, in a thread."""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sentinel_operator.api.serving import ServingConfig
from sentinel_workloads.model_server.inference.pace import Pace, measure
from sentinel_workloads.model_server.inference.warmup import warm_up
from sentinel_workloads.model_server.model.inspect import inspect
from sentinel_workloads.model_server.model.inspect_apart import inspect_apart
from sentinel_workloads.model_server.model.served import ServedModel, open_model
from sentinel_workloads.model_server.model.session import Inspecting

LOG = logging.getLogger(__name__)
LOAD_SECONDS = 900.0
SWITCH_SECONDS = 0.0005
"""How long another thread may hold the interpreter while requests wait; Python's own is 5 ms."""
MOST_CRASHES = 2
"""After so many deaths of the process while it loaded a revision, it is not loaded again beside one that serves."""
MARK = "sentinel-loading"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model that can answer."""

    model: ServedModel
    pace: Pace


def load_model(config: ServingConfig, *, inspecting: Inspecting = inspect) -> Loaded:
    """Gives the model, or raises Unservable."""
    model = open_model(config, inspecting=inspecting)
    warm_up(model, config)
    return Loaded(model, measure(model, max_size=config.batching.max_size, threads=config.threads))


class Crashes:
    """Remembers, over deaths of this process, what it was loading when it died: too little memory for two models, or
    a file that the runtime cannot survive, must not take down the revision that serves again and again."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or Path(tempfile.gettempdir())

    def of(self, revision: str) -> int:
        """How often the process died."""
        try:
            return int((self._folder / f"{MARK}-{revision}").read_text())
        except (OSError, ValueError):
            return 0

    @contextmanager
    def counted(self, revision: str) -> Iterator[None]:
        """Counts one more if the process does not live to see the end."""
        mark, before = self._folder / f"{MARK}-{revision}", self.of(revision)
        with suppress(OSError):
            mark.write_text(str(before + 1))
        try:
            yield
        finally:
            with suppress(OSError):
                mark.unlink()


class Loader:
    """Loads beside the revision that serves, one at a time, without holding it up."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="load")
        self._jobs = 0
        self._usual = sys.getswitchinterval()
        self.crashes = Crashes()

    async def load(self, config: ServingConfig) -> Loaded:
        """Gives the model; raises Unservable, or TimeoutError after which the thread is given up."""
        try:
            async with asyncio.timeout(LOAD_SECONDS):
                return await self.work(lambda: self._load(config))
        except TimeoutError:
            self.close()
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="load")
            raise TimeoutError(f"it was not loaded within {LOAD_SECONDS:g} s") from None

    async def work(self, job: Callable[[], T]) -> T:
        """Gives the result of a job in the thread; while there is any, requests get the interpreter sooner."""
        if not self._jobs:
            self._usual = sys.getswitchinterval()
            sys.setswitchinterval(SWITCH_SECONDS)
        self._jobs += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, job)
        finally:
            self._jobs -= 1
            if not self._jobs:
                sys.setswitchinterval(self._usual)

    def close(self) -> None:
        """Lets go of the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _load(self, config: ServingConfig) -> Loaded:
        with self.crashes.counted(config.revision):
            return load_model(config, inspecting=inspect_apart)
