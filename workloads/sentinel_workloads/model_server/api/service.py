"""What every protocol's answers are made of: the active revision, who may call, and whether it is ready."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor

from sentinel_operator.api.serving import ServingConfig
from sentinel_workloads.model_server.access.gate import Gate
from sentinel_workloads.model_server.api.sample import Answered, Tap
from sentinel_workloads.model_server.inference.work import Work
from sentinel_workloads.model_server.observe.figures import Figures
from sentinel_workloads.model_server.observe.metrics import Metrics
from sentinel_workloads.model_server.oip.datatypes import Array
from sentinel_workloads.model_server.refusal import Cause, Refusal
from sentinel_workloads.model_server.revision import Revision

RETRY_AFTER_SECONDS = 1.0
STUCK_AFTER_TIMEOUTS = 2.0
"""A run that takes this many request timeouts never ends: the process is not alive."""
Index = Callable[[], list[dict[str, str]]]


class Service:
    """One active revision behind all protocols. Before `serve` and after `drain` it is not ready.

    A request takes the active revision when it begins and keeps it: all that is done for it is done by that one, also
    when another becomes active meanwhile.
    """

    def __init__(self, config: ServingConfig, *, gate: Gate, metrics: Metrics) -> None:
        self.config = config
        """The process's own: its name, its limits of what comes in."""
        self.gate = gate
        self.metrics = metrics
        self.active: Revision | None = None
        self.taps: tuple[Tap, ...] = ()
        self.others: Index | None = None
        """Gives what the repository holds beside the active revision, where there can be more."""
        self.loop = asyncio.get_running_loop()
        self.timeout = config.limits.request_timeout_seconds
        self.last_request = self.loop.time()
        """When the last prediction was asked for, by the loop's clock."""
        self.encoders = ThreadPoolExecutor(1, thread_name_prefix="encode")

    @property
    def ready(self) -> bool:
        """Whether new requests should be sent here."""
        return self.metrics.ready

    @property
    def alive(self) -> bool:
        """False when a run hangs."""
        limit = self.timeout * STUCK_AFTER_TIMEOUTS
        return self.active is None or self.active.batcher.oldest_run_seconds < limit

    def activate(self, revision: Revision) -> None:
        """Has requests answered by the revision from now on, though `ready` may still say no."""
        self.active = revision
        self.metrics.active = revision.name

    def loaded(self) -> Revision:
        """Gives the active revision, or refuses while there is none."""
        if self.active is None:
            raise Refusal(Cause.NOT_READY, "the model is not loaded yet", retry_after=RETRY_AFTER_SECONDS)
        return self.active

    def figures(self, *, mirrored: bool = False) -> Figures:
        """Gives where a request is counted that begins now."""
        if not mirrored and self.active is not None:
            return self.active.figures
        config = self.config if self.active is None else self.active.config
        return self.metrics.figures(config, mirrored=mirrored)

    def submit(
        self,
        revision: Revision,
        feeds: dict[str, Array],
        done: Callable[[Work], None],
        *,
        rows: int,
        key: Hashable,
        within: float | None = None,
        mirrored: bool = False,
    ) -> Work:
        """Has the tensors run within the request timeout, or a shorter one of the client's own."""
        now = self.last_request = self.loop.time()
        timeout = self.timeout if within is None else min(within, self.timeout)
        work = Work(feeds, rows=rows, key=key, deadline=now + timeout, done=done, mirrored=mirrored)
        revision.batcher.submit(work)
        return work

    def tell(self, answered: Answered) -> None:
        """Tells the taps of a request whose answer is written."""
        for tap in self.taps:
            tap.answered(answered)

    def check_version(self, name: str, version: str) -> None:
        """Refuses any model and version but the one that is served."""
        if name != self.config.name:
            raise Refusal(Cause.NOT_FOUND, f"model {name!r} is not served here, {self.config.name!r} is")
        served = self.version
        if version and version != served:
            raise Refusal(Cause.NOT_FOUND, f"version {version!r} of {name!r} is not served here, {served!r} is")

    @property
    def version(self) -> str:
        """The version that answers."""
        return (self.config if self.active is None else self.active.config).version

    def close(self) -> None:
        """Lets go of all threads."""
        if self.active is not None:
            self.active.batcher.close()
        self.encoders.shutdown(wait=False, cancel_futures=True)
