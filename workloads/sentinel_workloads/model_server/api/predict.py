"""POST /v1/predict: named features or texts in; label, confidence and policy out."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from functools import partial
from typing import Any

import numpy as np
import orjson

from sentinel_workloads.model_server.api.call import Call
from sentinel_workloads.model_server.api.service import Service
from sentinel_workloads.model_server.inference.work import Work
from sentinel_workloads.model_server.model.encoded import PROBABILITIES, Encoded, Encoder, checked_json
from sentinel_workloads.model_server.model.texts import MASK
from sentinel_workloads.model_server.oip.datatypes import Array
from sentinel_workloads.model_server.refusal import Cause, Refusal, invalid
from sentinel_workloads.model_server.revision import Revision

MAX_ENCODING = 256
"""Most requests whose texts wait for the tokenizer's thread."""


class Predict:
    """Answers bodies of /v1/predict; what is an instance and what is a label comes from the revision's schema."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._encoding = 0

    def __call__(self, call: Call, body: bytes) -> None:
        """Answers, now or when the model has run."""
        revision = call.revision or self._service.loaded()
        encoder = revision.model.encoder
        if encoder is None:
            raise Refusal.not_named(revision.config.name)
        request = checked_json(body, encoder)
        if not encoder.is_heavy(request):
            self._run(call, revision, request, encoder.encode(request))
            return
        if self._encoding >= MAX_ENCODING:
            raise Refusal(Cause.OVERLOADED, "too many long texts wait to be tokenized", retry_after=1.0)
        self._encode_in_thread(call, revision, request, encoder)

    def _encode_in_thread(self, call: Call, revision: Revision, request: dict[str, Any], encoder: Encoder) -> None:
        service = self._service
        late = Refusal(Cause.DEADLINE, "no answer within the time allowed")
        deadline = service.loop.call_later(service.timeout, call.refuse, late)
        future = service.encoders.submit(encoder.encode, request)

        def encoded(_: Future[Encoded]) -> None:
            service.loop.call_soon_threadsafe(self._encoded, call, revision, request, future, deadline)

        self._encoding += 1
        call.withdraw = future.cancel
        future.add_done_callback(encoded)

    def _encoded(
        self,
        call: Call,
        revision: Revision,
        request: dict[str, Any],
        future: Future[Encoded],
        deadline: asyncio.TimerHandle,
    ) -> None:
        self._encoding -= 1
        deadline.cancel()
        if call.exchange.answered:
            return
        within = deadline.when() - self._service.loop.time()
        try:
            self._run(call, revision, request, future.result(), within=within)
        except Refusal as refusal:
            call.refuse(refusal)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            call.fail(error)

    def _run(
        self, call: Call, revision: Revision, request: dict[str, Any], encoded: Encoded, *, within: float | None = None
    ) -> None:
        if encoded.rows > 1 and not revision.model.batches:
            raise invalid("this model takes one instance at a time")
        done = partial(_done, call, revision, encoded, request.get(PROBABILITIES) is True)
        work = self._service.submit(
            revision,
            encoded.feeds,
            done,
            rows=encoded.rows,
            key=encoded.key,
            within=within,
            mirrored=call.mirrored,
        )
        call.withdraw = partial(revision.batcher.cancel, work)


def _done(call: Call, revision: Revision, encoded: Encoded, probabilities: bool, work: Work) -> None:
    if work.error is not None:
        call.refuse(work.error)
        return
    try:
        if call.mirrored:
            call.reflect(work, revision)
            return
        rows = _rows(revision, encoded, work, probabilities)
        about = {"model": revision.about, "requestId": call.id}
        answer = {**rows[0], **about} if encoded.single else {"predictions": rows, **about}
        call.answer(orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY))
        call.tell(work, revision)
    except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
        call.fail(error)


def _rows(revision: Revision, encoded: Encoded, work: Work, probabilities: bool) -> list[dict[str, Any]]:
    if work.readings is not None:
        rows = _classified(revision, work, probabilities)
    elif revision.config.task == "Embedding":
        rows = [{"embedding": row} for row in embeddings(work.outputs or [], work.feeds)]
    else:
        rows = _plain(revision, work)
    if encoded.truncated is not None:
        for row, truncated in zip(rows, encoded.truncated, strict=True):
            if truncated:
                row["truncated"] = True
    return rows


def _classified(revision: Revision, work: Work, probabilities: bool) -> list[dict[str, Any]]:
    readings = work.readings
    if readings is None:
        return []
    threshold, labels = revision.config.threshold, revision.policies
    rows = []
    for index, best in enumerate(readings.best.tolist()):
        label, policy = labels[best]
        score = readings.scores[index]
        row = {"label": label, "score": score, "uncertain": bool(score < threshold), "policy": policy}
        if probabilities:
            names = (name for name, _ in labels)
            row[PROBABILITIES] = dict(zip(names, readings.probabilities[index].tolist(), strict=True))
        rows.append(row)
    return rows


def _plain(revision: Revision, work: Work) -> list[dict[str, Any]]:
    outputs = work.outputs or []
    specs = revision.signature.outputs
    return [
        {"outputs": {spec.name: array[index].tolist() for spec, array in zip(specs, outputs, strict=True)}}
        for index in range(work.rows)
    ]


def embeddings(outputs: list[Array], feeds: dict[str, Array]) -> list[Array]:
    """Gives a vector for each row: the model's own [N, D], or the mean of [N, T, D] over the tokens that count."""
    pooled = next((array for array in outputs if array.dtype.kind == "f" and array.ndim == 2), None)
    if pooled is not None:
        return list(np.ascontiguousarray(pooled))
    tokens = next(array for array in outputs if array.dtype.kind == "f" and array.ndim == 3)
    mask = feeds.get(MASK)
    weights = np.ones(tokens.shape[:2], np.float32) if mask is None else mask.astype(np.float32)
    tokens = tokens[:, : weights.shape[1]]  # What ran together was padded to the longest.
    means = (tokens * weights[..., None]).sum(axis=1) / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    return list(means)
