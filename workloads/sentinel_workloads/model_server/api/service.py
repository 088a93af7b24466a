"""What every protocol's answers are made of: the model, its queue, who may call, and whether it is ready."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor

from sentinel_operator.api.serving import ServingConfig
from sentinel_workloads.model_server.access.gate import Gate
from sentinel_workloads.model_server.inference.batcher import Batcher
from sentinel_workloads.model_server.inference.work import Work
from sentinel_workloads.model_server.model.served import ServedModel
from sentinel_workloads.model_server.observe.metrics import Metrics
from sentinel_workloads.model_server.oip.datatypes import Array
from sentinel_workloads.model_server.oip.tensors import Signature
from sentinel_workloads.model_server.refusal import Cause, Refusal

RETRY_AFTER_SECONDS = 1.0
STUCK_AFTER_TIMEOUTS = 2.0
"""A run that takes this many request timeouts never ends: the process is not alive."""


class Service:
    """One model behind all protocols. Before `serve` and after `drain` it is not ready."""

    def __init__(self, config: ServingConfig, *, gate: Gate, metrics: Metrics) -> None:
        self.config = config
        self.gate = gate
        self.metrics = metrics
        self.model: ServedModel | None = None
        self.signature: Signature | None = None
        self.digest = config.model_digest
        self._batcher: Batcher | None = None
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
        return self._batcher is None or self._batcher.oldest_run_seconds < limit

    def load(self, model: ServedModel, batcher: Batcher) -> None:
        """Takes the model; requests are answered from now on, though `ready` may still say no."""
        batches = model.batches
        self.model, self._batcher = model, batcher
        self.signature = Signature(model.graph, batches=batches, max_rows=self.config.limits.max_batch_rows)
        self.digest = self.metrics.digest = model.artifact.verification.digest
        self.metrics.queue_depth = lambda: batcher.queued_rows

    def loaded(self) -> tuple[ServedModel, Signature]:
        """Gives the model, or refuses while there is none."""
        if self.model is None or self.signature is None:
            raise Refusal(Cause.NOT_READY, "the model is not loaded yet", retry_after=RETRY_AFTER_SECONDS)
        return self.model, self.signature

    def submit(
        self,
        feeds: dict[str, Array],
        done: Callable[[Work], None],
        *,
        rows: int,
        key: Hashable,
        within: float | None = None,
    ) -> Work:
        """Has the tensors run within the request timeout, or a shorter one of the client's own."""
        if self._batcher is None:
            raise Refusal(Cause.NOT_READY, "the model is not loaded yet", retry_after=RETRY_AFTER_SECONDS)
        now = self.last_request = self.loop.time()
        timeout = self.timeout if within is None else min(within, self.timeout)
        work = Work(feeds, rows=rows, key=key, deadline=now + timeout, done=done)
        self._batcher.submit(work)
        return work

    def cancel(self, work: Work) -> None:
        """Drops a work that nobody waits for."""
        if self._batcher is not None:
            self._batcher.cancel(work)

    def check_version(self, name: str, version: str) -> None:
        """Refuses any model and version but the one that is served."""
        if name != self.config.name:
            raise Refusal(Cause.NOT_FOUND, f"model {name!r} is not served here, {self.config.name!r} is")
        if version and version != self.config.version:
            raise Refusal(
                Cause.NOT_FOUND, f"version {version!r} of {name!r} is not served here, {self.config.version!r} is"
            )

    def close(self) -> None:
        """Lets go of all threads."""
        if self._batcher is not None:
            self._batcher.close()
        self.encoders.shutdown(wait=False, cancel_futures=True)
