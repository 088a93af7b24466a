"""POST /v2/models/{name}/infer."""

from __future__ import annotations

from functools import partial

from sentinel_workloads.model_server.api.call import Call
from sentinel_workloads.model_server.api.service import Service
from sentinel_workloads.model_server.inference.work import Work
from sentinel_workloads.model_server.oip.json_codec import HEADER_LENGTH, decode, encode
from sentinel_workloads.model_server.oip.tensors import Inference
from sentinel_workloads.model_server.revision import Revision
from sentinel_workloads.model_server.wire.exchange import BINARY


class Infer:
    """Answers inference requests as JSON, or as JSON and bytes."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def __call__(self, call: Call, body: bytes) -> None:
        """Answers when the model has run."""
        revision = call.revision or self._service.loaded()
        inference = decode(body, call.exchange.headers.get(HEADER_LENGTH), revision.signature)
        done = partial(_done, call, revision, inference)
        work = self._service.submit(
            revision, inference.feeds, done, rows=inference.rows, key=inference.key, mirrored=call.mirrored
        )
        call.withdraw = partial(revision.batcher.cancel, work)


def _done(call: Call, revision: Revision, inference: Inference, work: Work) -> None:
    if work.error is not None:
        call.refuse(work.error)
        return
    try:
        if call.mirrored:
            call.reflect(work, revision)
            return
        body, length = encode(inference, work.outputs or [], revision.signature, model=revision.titles)
        if length is None:
            call.answer(body)
        else:
            header = b"Inference-Header-Content-Length: %d\r\n" % length
            call.answer(body, content_type=BINARY, headers=header)
        call.tell(work, revision)
    except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
        call.fail(error)
