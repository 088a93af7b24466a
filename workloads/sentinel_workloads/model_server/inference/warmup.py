"""Answers once what will be asked, so that the first user is not the one who waits."""

from __future__ import annotations

from sentinel_operator.api.serving import ServingConfig
from sentinel_workloads.model_server.inference.together import run_together
from sentinel_workloads.model_server.inference.work import Work
from sentinel_workloads.model_server.model.encoded import checked
from sentinel_workloads.model_server.model.served import ServedModel
from sentinel_workloads.model_server.refusal import Refusal
from sentinel_workloads.model_server.unservable import mismatch


def warm_up(model: ServedModel, config: ServingConfig) -> None:
    """Answers each body of spec.runtime.warmup; one that the model cannot answer is a mismatch with the schema."""
    for index, body in enumerate(config.warmup):
        field = f"spec.runtime.warmup[{index}]"
        if model.encoder is None:
            raise mismatch("warm-up bodies need spec.schema.features or a text task", field=field)
        try:
            encoded = model.encoder.encode(checked(body, model.encoder))
            work = Work(encoded.feeds, rows=encoded.rows, key=None, deadline=0.0, done=lambda _: None)
            run_together(model, [work])
            if work.error is not None:
                raise work.error
        except Refusal as refusal:
            where = f"{field}.{refusal.field}" if refusal.field else field
            raise mismatch(f"the model cannot answer it: {refusal.message}", field=where) from refusal
