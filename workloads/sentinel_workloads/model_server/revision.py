"""One revision in memory: its model, its own queue and threads, its figures. What began on it ends on it."""

from __future__ import annotations

from sentinel_operator.api.serving import ServingConfig
from sentinel_workloads.model_server.inference.batcher import Batcher, Bounds
from sentinel_workloads.model_server.inference.pace import Pace
from sentinel_workloads.model_server.inference.together import run_together
from sentinel_workloads.model_server.inference.work import Work
from sentinel_workloads.model_server.model.served import ServedModel
from sentinel_workloads.model_server.observe.metrics import Metrics
from sentinel_workloads.model_server.oip.tensors import Signature

DEFAULT_POLICY = "default"


class Revision:
    """A loaded revision. Batches never hold works of two of them: each has a batcher of its own."""

    def __init__(self, config: ServingConfig, model: ServedModel, pace: Pace, metrics: Metrics) -> None:
        self.config = config
        self.name = config.revision
        self.model = model
        self.pace = pace
        self.signature = Signature(model.graph, batches=model.batches, max_rows=config.limits.max_batch_rows)
        self.digest = model.artifact.verification.digest
        self.figures = metrics.figures(config)
        self._metrics = metrics
        fallback = config.label_policies.get(DEFAULT_POLICY, {})
        self.policies = [(label, config.label_policies.get(label, fallback)) for label in config.labels]
        about = {"name": config.name, "version": config.version, "revision": config.revision}
        self.about = {**about, "digest": self.digest}
        """What /v1/predict says of the model."""
        self.titles = {"model_name": config.name, **({"model_version": config.version} if config.version else {})}
        """What the Open Inference Protocol says of it."""
        self.batcher = Batcher(self._run, bounds=_bounds(config, model), pace=pace, meter=self)
        self.figures.digest = self.digest
        self.figures.queue_depth = self._queue_depth
        metrics.loaded.add(self.name)

    @property
    def in_flight(self) -> int:
        """Requests that began on it and have no answer yet."""
        return self._metrics.in_flight_of(self.name)

    def ran(self, works: list[Work], *, rows: int, seconds: float) -> None:
        """Counts a run where its traffic belongs; a run of both kinds is counted with the real one's."""
        mirrored = [work for work in works if work.mirrored]
        if not mirrored:
            self.figures.ran(works, rows=rows, seconds=seconds)
            return
        apart = self._metrics.figures(self.config, mirrored=True)
        if len(mirrored) == len(works):
            apart.ran(works, rows=rows, seconds=seconds)
            return
        self.figures.inference_seconds.observe(seconds)
        self.figures.batch_size.observe(rows)
        for work in works:
            (apart if work.mirrored else self.figures).read(work)

    def close(self) -> None:
        """Lets go of the model and of all threads. Nothing may be under way."""
        self.batcher.close()
        if self.figures.queue_depth == self._queue_depth:  # Else it was loaded again meanwhile.
            self.figures.queue_depth = lambda: 0
            self._metrics.loaded.discard(self.name)
        self.model.session.close()
        del self.model

    def _run(self, works: list[Work]) -> None:
        run_together(self.model, works)

    def _queue_depth(self) -> int:
        return self.batcher.queued_rows


def _bounds(config: ServingConfig, model: ServedModel) -> Bounds:
    return Bounds(
        max_size=config.batching.max_size if model.batches else 1,
        max_delay=config.batching.max_delay_ms / 1000,
        max_queue_rows=config.limits.max_queue_rows,
    )
